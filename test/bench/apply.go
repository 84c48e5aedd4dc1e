package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	// maxApply is the target for making 10,000 devices with fairlead apply.
	maxApply      = 8 * time.Second
	maxApplyOf    = 10_000
	applyReady    = time.Minute // until fairlead dev runs
	applyPoll     = 50 * time.Millisecond
	applyShutdown = 30 * time.Second // of fairlead dev
)

// measureApply makes a fleet with fairlead apply, and applies it a second time, when there is nothing to do.
func measureApply(ctx context.Context, s *scene) (rows []row, err error) {
	server, err := neighbour.StartPostgres(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	dir, err := os.MkdirTemp("", "fairlead-apply-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	a := &applyBench{program: filepath.Join(dir, "fairlead"), fleet: filepath.Join(dir, "fleet.yaml"), dir: dir, devices: s.size.applied}
	build := exec.CommandContext(ctx, "go", "build", "-o", a.program, "github.com/fairlead/fairlead/cmd/fairlead")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building fairlead: %w\n%s", err, output)
	}
	if err := a.writeFleet(); err != nil {
		return nil, err
	}
	for _, database := range []struct{ name, url string }{{"SQLite", ""}, {"PostgreSQL", server.URL()}} {
		more, err := a.measure(ctx, database.name, database.url)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", database.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// An applyBench is the program, and what it applies.
type applyBench struct {
	program, fleet, dir string
	devices             int
}

// writeFleet writes devices as people have them: with a label, an alias and a password.
func (a *applyBench) writeFleet() (err error) {
	file, err := os.Create(a.fleet)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriter(file)
	fmt.Fprintln(w, "metadata: {name: fleet}")
	for i := range a.devices {
		fmt.Fprintf(w, "---\nmetadata:\n  application: fleet\n  name: %s\n  labels: {site: site-%d}\nspec:\n  alias: [%s]\n  authentication:\n    credentials:\n      - pass: %s\n",
			fleetName(i), i%fleetSites, fleetAlias(i), fleetPassword(i))
	}
	return w.Flush()
}

// measure starts fairlead dev on a database, and applies the fleet twice.
func (a *applyBench) measure(ctx context.Context, name, database string) (rows []row, err error) {
	const free = "127.0.0.1:0"
	data := filepath.Join(a.dir, name)
	arguments := []string{"dev", "--data", data, "--http", free, "--api", free, "--identity", free, "--auth", free, "--receiver", free, "--dead-letters", free,
		"--metrics=", "--mqtt=", "--mqtts=", "--mqtt-ws=", "--mqtt-wss=", "--coap=", "--coaps="}
	if database != "" {
		arguments = append(arguments, "--database", database)
	}
	var log bytes.Buffer
	dev := exec.CommandContext(ctx, a.program, arguments...)
	dev.Stdout, dev.Stderr = &log, &log
	dev.Cancel, dev.WaitDelay = func() error { return dev.Process.Signal(syscall.SIGTERM) }, applyShutdown
	if err := dev.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = dev.Process.Signal(syscall.SIGTERM)
		_ = dev.Wait()
	}()
	note, err := awaitNote(ctx, filepath.Join(data, "dev.json"))
	if err != nil {
		return nil, fmt.Errorf("starting fairlead dev: %w\n%s", err, log.Bytes())
	}
	contexts := filepath.Join(data, "contexts.yaml")
	if _, err := a.run(ctx, contexts, "login", note.API, "--access-token", note.Account.AccessToken); err != nil {
		return nil, err
	}
	first, err := a.run(ctx, contexts, "apply", "-f", a.fleet)
	if err != nil {
		return nil, err
	}
	again, err := a.run(ctx, contexts, "apply", "-f", a.fleet)
	if err != nil {
		return nil, err
	}
	most := maxApply * time.Duration(a.devices) / maxApplyOf
	rate := func(took time.Duration) string { return fmt.Sprintf("%.0f/s", float64(a.devices)/took.Seconds()) }
	return []row{
		{figure: fmt.Sprintf("%s: making %d devices", name, a.devices), value: seconds(first), span: rate(first), target: "under " + seconds(most), holds: first < most},
		{figure: name + ": the same again, unchanged", value: seconds(again), span: rate(again)},
	}, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// run runs a command line, and tells how long it took.
func (a *applyBench) run(ctx context.Context, contexts string, arguments ...string) (time.Duration, error) {
	began := time.Now()
	output, err := exec.CommandContext(ctx, a.program, append(arguments, "--config", contexts)...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("fairlead %s: %w\n%s", arguments[0], err, output)
	}
	return time.Since(began), nil
}

// awaitNote waits until fairlead dev has said where it is.
func awaitNote(ctx context.Context, name string) (note devcloud.Note, err error) {
	ctx, cancel := context.WithTimeout(ctx, applyReady)
	defer cancel()
	poll := time.NewTicker(applyPoll)
	defer poll.Stop()
	for {
		text, err := os.ReadFile(name)
		if err == nil && json.Unmarshal(text, &note) == nil && note.Account != nil {
			return note, nil
		}
		select {
		case <-ctx.Done():
			return note, errors.Join(ctx.Err(), err)
		case <-poll.C:
		}
	}
}
