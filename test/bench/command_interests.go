package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/command"
	fairleadredis "github.com/fairlead/fairlead/internal/redis"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	interestsCommand = "interests"

	subscribedDevices = 100_000
	subscribers       = 2   // processes that have them
	subscribing       = 256 // of a process, at once

	maxRestore   = 5 * time.Second
	restoreLimit = time.Minute
	restorePoll  = 10 * time.Millisecond
)

// An interestsReport is what a process with interests tells.
type interestsReport struct {
	Heap    int64         `json:"heap"` // bytes that they take
	Elapsed time.Duration `json:"elapsed"`
}

// holdInterest is a process that has interests as a gateway does, without the connections of devices. It ends with its input.
func holdInterest(ctx context.Context, arguments []string, input io.Reader, output io.Writer) error {
	flags := flag.NewFlagSet(interestsCommand, flag.ContinueOnError)
	url := flags.String("redis", "", "URL")
	first, count := flags.Int("first", 0, "number of the first device"), flags.Int("count", 0, "how many")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	c := fairleadredis.DefaultConfig()
	c.URL = *url
	client, err := c.ClientWithoutRetries()
	if err != nil {
		return err
	}
	hub := command.NewHub()
	router := command.NewRouter(client, c.Instance, hub, nil)
	before, began := heap(), time.Now()
	listeners, err := listenAll(ctx, hub, *first, *count)
	if err != nil {
		return err
	}
	elapsed := time.Since(began)
	if err := json.NewEncoder(output).Encode(interestsReport{heap() - before, elapsed}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, input)
	runtime.KeepAlive(listeners)
	router.Close()
	return errors.Join(err, client.Close())
}

func listenAll(ctx context.Context, hub *command.Hub, first, count int) ([]*command.Listener, error) {
	listeners, problems := make([]*command.Listener, count), make([]error, count)
	places := make(chan struct{}, subscribing)
	var waiting sync.WaitGroup
	for i := range count {
		places <- struct{}{}
		waiting.Go(func() {
			defer func() { <-places }()
			f := command.Filter{Application: application, Gateway: deviceName(first + i), Scope: command.All, Protocol: "mqtt"}
			listeners[i], problems[i] = hub.Listen(ctx, f, func(command.Command) bool { return true })
		})
	}
	waiting.Wait()
	return listeners, errors.Join(problems...)
}

// heap is what is in use, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// holdInterests has processes hold the interests in many devices, and restarts their Redis.
func holdInterests(ctx context.Context) (rows []row, err error) {
	server, err := neighbour.StartRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	client := redis.NewClient(&redis.Options{Addr: server.Address()})
	defer client.Close()
	before, err := usedMemory(ctx, client)
	if err != nil {
		return nil, err
	}
	reports, release, err := startSubscribers(ctx, server.URL())
	defer release()
	if err != nil {
		return nil, err
	}
	used, err := usedMemory(ctx, client)
	if err != nil {
		return nil, err
	}
	server.Kill()
	if err := server.Start(ctx); err != nil {
		return nil, err
	}
	took, err := restored(ctx, client)
	if err != nil {
		return nil, err
	}
	var heaps int64
	var longest time.Duration
	for _, r := range reports {
		heaps, longest = heaps+r.Heap, max(longest, r.Elapsed)
	}
	what := fmt.Sprintf("%d subscribed devices, %d processes", subscribedDevices, subscribers)
	return []row{
		{figure: what + ", memory of Redis for each", value: whole(float64(used-before)/subscribedDevices) + " bytes"},
		{figure: what + ", heap of their process for each", value: whole(float64(heaps)/subscribedDevices) + " bytes"},
		{figure: what + ", subscriptions per second", value: whole(subscribedDevices / longest.Seconds())},
		{
			figure: what + ", from the start of Redis until all are back", value: millis(took),
			target: "under " + millis(maxRestore), holds: took < maxRestore,
		},
	}, nil
}

// restored waits until Redis, which has just been started, has all interests.
func restored(ctx context.Context, client *redis.Client) (time.Duration, error) {
	began := time.Now()
	poll := time.NewTicker(restorePoll)
	defer poll.Stop()
	for {
		n := interests(ctx, client)
		switch took := time.Since(began); {
		case n == subscribedDevices:
			return took, nil
		case took > restoreLimit:
			return took, fmt.Errorf("%d of %d interests are back after %s", n, subscribedDevices, took)
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// startSubscribers starts the processes, and returns when they have their interests. They end with release.
func startSubscribers(ctx context.Context, url string) (reports []interestsReport, release func(), err error) {
	var ends []func()
	release = func() {
		for _, end := range ends {
			end()
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, release, err
	}
	reports = make([]interestsReport, subscribers)
	problems := make([]error, subscribers)
	var starting sync.WaitGroup
	for i := range subscribers {
		const each = subscribedDevices / subscribers
		c := exec.CommandContext(ctx, self, interestsCommand, "--redis", url, "--first", strconv.Itoa(i*each), "--count", strconv.Itoa(each))
		c.Stderr = os.Stderr
		in, err := c.StdinPipe()
		if err != nil {
			return nil, release, err
		}
		out, err := c.StdoutPipe()
		if err != nil {
			return nil, release, err
		}
		if err := c.Start(); err != nil {
			return nil, release, err
		}
		ends = append(ends, func() { _ = in.Close(); _ = c.Wait() })
		starting.Go(func() { problems[i] = json.NewDecoder(out).Decode(&reports[i]) })
	}
	starting.Wait()
	return reports, release, errors.Join(problems...)
}
