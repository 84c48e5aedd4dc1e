package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/test/functionbin"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	// maxStart is the target for the time from exec to ready.
	maxStart = 150 * time.Millisecond

	// startPoll is how often readiness is asked, and with that the precision of the figure.
	startPoll = 2 * time.Millisecond

	// startLimit is when waiting for readiness ends.
	startLimit = 20 * time.Second
)

// measureStart runs the binary again and again until it says that it is ready. The file is in the page cache from the
// second time on, as an image is on a node that has run it before.
func measureStart(ctx context.Context, s *scene) ([]row, error) {
	n, err := s.servers(ctx)
	if err != nil {
		return nil, err
	}
	binary, err := s.function(ctx)
	if err != nil {
		return nil, err
	}
	var times sample[time.Duration]
	for range s.size.starts {
		took, err := coldStart(ctx, binary, n.settings())
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	size, err := os.Stat(binary.Path)
	if err != nil {
		return nil, err
	}
	return []row{
		{
			figure: fmt.Sprintf("telemetry, median of %d", len(times)), value: millis(times.median()), span: times.span(millis),
			target: "under " + millis(maxStart), holds: times.median() < maxStart,
		},
		{figure: "size of the binary", value: fmt.Sprintf("%.1f MB", float64(size.Size())/1e6)},
	}, nil
}

// coldStart is not functionbin's Start, which looks less often whether the function is ready.
func coldStart(ctx context.Context, binary functionbin.Binary, settings []string) (time.Duration, error) {
	port, err := neighbour.FreePort()
	if err != nil {
		return 0, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var log bytes.Buffer
	command := exec.CommandContext(ctx, binary.Path)
	command.Env = append(os.Environ(), append(settings, "LISTEN_ADDRESS="+address)...)
	command.Stdout, command.Stderr = &log, &log
	began := time.Now()
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("starting the function: %w", err)
	}
	err = awaitReady(ctx, address)
	took := time.Since(began)
	_ = command.Process.Kill()
	_ = command.Wait() // says that it was killed
	if err != nil {
		return 0, fmt.Errorf("waiting for the function to be ready: %w\n%s", err, log.Bytes())
	}
	return took, nil
}

func awaitReady(ctx context.Context, address string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for {
		last := askReady(ctx, client, address)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return last
		case <-poll.C:
		}
	}
}

func askReady(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/health/readiness", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("readiness is answered with %d", response.StatusCode)
	}
	return nil
}
