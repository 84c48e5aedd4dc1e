package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"time"

	function "github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/assembly/functions"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	profileDuration = 10 * time.Second

	// profileReady bounds the wait for the function to reach its neighbours.
	profileReady = 30 * time.Second
)

// profile runs telemetry in this process under load and writes a processor profile. The binary that is deployed offers
// none: a profile tells too much about a process to be had over its network.
func profile(ctx context.Context, path string) (err error) {
	s := &scene{}
	defer func() { err = errors.Join(err, s.close()) }()
	n, err := s.servers(ctx)
	if err != nil {
		return err
	}
	f, err := startHere(ctx, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Stop(context.WithoutCancel(ctx))) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	// As the middleware of func has it.
	const limit = 30 * time.Second
	server := &http.Server{
		Handler:     http.HandlerFunc(f.Handle),
		ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: limit, ReadHeaderTimeout: 2 * time.Second,
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	return record(ctx, path, listener.Addr().String())
}

// startHere makes telemetry ready in this process.
func startHere(ctx context.Context, n *neighbours) (*functions.Function, error) {
	f := function.New()
	if err := f.Start(ctx, n.environment()); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, profileReady)
	defer cancel()
	err := neighbour.Await(waiting, "the function to be ready", func(ctx context.Context) error {
		ready, err := f.Ready(ctx)
		if err == nil && !ready {
			err = errors.New("it is not")
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, f.Stop(context.WithoutCancel(ctx)))
	}
	return f, nil
}

// record profiles while there is load.
func record(ctx context.Context, path, address string) (err error) {
	if _, err := runLoad(ctx, address, fullSize.warmUp); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("profiling: %w", err)
	}
	report, err := runLoad(ctx, address, profileDuration)
	pprof.StopCPUProfile()
	if err != nil {
		return err
	}
	fmt.Printf("%d requests in %s; answers by status %v\n", report.Accepted+report.Refused, report.Elapsed, report.Statuses)
	fmt.Printf("go tool pprof -top %s\n", path)
	return nil
}
