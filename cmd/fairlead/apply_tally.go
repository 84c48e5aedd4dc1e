package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/cloud"
)

const (
	maxResultLines = 25 // of the first resources with each result, without --verbose
	maxExamples    = 3  // of each kind of failure
)

// A tally counts what became of the resources, and shows it as it goes.
type tally struct {
	t       terminal
	command *applyCommand
	size    int64 // of all files, in bytes
	began   time.Time
	now     func() time.Time

	mu        sync.Mutex
	progress  *progress
	results   map[result]int
	processed int64 // bytes
	failures  map[string]*failure
	lost      int // which were under way when it was stopped

	ending context.CancelFunc
	ended  chan struct{}
}

// A failure is one kind of it.
type failure struct {
	kind     string
	count    int
	examples []string
}

func newTally(t terminal, c *applyCommand, size int64) *tally {
	ctx, cancel := context.WithCancel(context.Background())
	y := &tally{
		t: t, command: c, size: size, began: time.Now(), now: time.Now,
		results: map[result]int{}, failures: map[string]*failure{}, ending: cancel, ended: make(chan struct{}),
	}
	y.progress = newProgress(t.err, y.began)
	go y.watch(ctx)
	return y
}

// watch shows how far it has come.
func (y *tally) watch(ctx context.Context) {
	defer close(y.ended)
	ticker := time.NewTicker(y.progress.interval())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			y.mu.Lock()
			y.show()
			y.mu.Unlock()
		}
	}
}

func (y *tally) show() {
	now := moment{at: y.now(), count: y.written() + y.failedCount()}
	if y.size > 0 {
		now.part = min(float64(y.processed)/float64(y.size), 1)
	}
	more := ""
	if n := y.failedCount(); n > 0 {
		more = fmt.Sprintf(", %s failed", grouped(n))
	}
	y.progress.show(now, more)
}

// stop takes the bar away.
func (y *tally) stop() {
	y.ending()
	<-y.ended
	y.mu.Lock()
	defer y.mu.Unlock()
	y.progress.clear()
}

func (y *tally) written() (n int) {
	for _, count := range y.results {
		n += count
	}
	return n
}

func (y *tally) failedCount() (n int) {
	for _, f := range y.failures {
		n += f.count
	}
	return n
}

// again begins a second pass, which is short.
func (y *tally) again() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.size += y.size
}

// done counts a resource.
func (y *tally) done(t *task, r result) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.processed += int64(t.size)
	y.result(t.what(), r)
}

func (y *tally) result(what string, r result) {
	y.results[r]++
	switch {
	case y.command.Verbose || y.results[r] <= maxResultLines:
		y.line(oneLine(what) + " " + y.would(r))
	case y.results[r] == maxResultLines+1:
		y.line("(further ones that are " + string(r) + " are counted only; --verbose shows them all)")
	}
}

// deleted counts a device that is gone.
func (y *tally) deleted(what string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.result(what, deleted)
}

// say says something besides the results.
func (y *tally) say(text string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.line(text)
}

func (y *tally) hasFailed() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return len(y.failures) > 0
}

func (y *tally) would(r result) string {
	if y.command.DryRun && r != unchanged {
		return "would be " + string(r)
	}
	return string(r)
}

// line writes above the bar.
func (y *tally) line(text string) {
	y.progress.clear()
	fmt.Fprintln(y.t.err, text)
}

// failed counts a failure.
func (y *tally) failed(at position, what string, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	kind := kindOf(err)
	f, ok := y.failures[kind]
	if !ok {
		f = &failure{kind: kind}
		y.failures[kind] = f
	}
	if f.count++; len(f.examples) < maxExamples {
		if what != "" {
			what += ": "
		}
		f.examples = append(f.examples, fmt.Sprintf("%s: %s%v", at, what, err))
	}
}

// kindOf puts failures together that have one cause.
func kindOf(err error) string {
	var refused *cloud.Error
	var invalid *invalidDocument
	switch {
	case errors.As(err, &invalid):
		return "cannot be used as they stand in the file"
	case errors.Is(err, errTwice):
		return "are there twice"
	case errors.Is(err, errNoApplication):
		return "have no application"
	case !errors.As(err, &refused):
		return "got no answer"
	case refused.Status == http.StatusBadRequest, refused.Status == http.StatusRequestEntityTooLarge:
		return "were refused as invalid"
	case refused.Status == http.StatusUnauthorized, refused.Status == http.StatusForbidden:
		return "are not permitted"
	case refused.Status == http.StatusNotFound:
		return "have no application"
	case refused.Status == http.StatusConflict:
		return "are in conflict with what is there"
	default:
		return fmt.Sprintf("were answered with %d", refused.Status)
	}
}

// advance counts bytes of what failed.
func (y *tally) advance(bytes int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.processed += int64(bytes)
}

// unknown counts a resource of which nobody knows whether it was written.
func (y *tally) unknown() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.lost++
}

// summary says what became of everything, and gives the error that the command ends with.
func (a *applier) summary() error {
	a.tally.stop()
	y := a.tally
	elapsed := y.now().Sub(y.began)
	var parts []string
	for _, r := range []result{created, changed, unchanged, deleted} {
		if n := y.results[r]; n > 0 || (r != deleted && r != changed) {
			parts = append(parts, grouped(n)+" "+y.would(r))
		}
	}
	if n := y.failedCount(); n > 0 {
		parts = append(parts, grouped(n)+" failed")
	}
	rate := ""
	if n := y.written(); n >= 100 && elapsed > 0 {
		rate = fmt.Sprintf(" (%s/s)", grouped(int(float64(n)/elapsed.Seconds())))
	}
	fmt.Fprintf(y.t.err, "%s in %.1f s%s\n", strings.Join(parts, ", "), elapsed.Seconds(), rate)
	y.printFailures()
	return a.ending()
}

// ending is what is to be said at the very end, if it did not end well.
func (a *applier) ending() error {
	y := a.tally
	cause := context.Cause(a.stop)
	switch {
	case cause == nil:
	case cloud.IsLoggedOut(cause):
		return fmt.Errorf("stopped: %w; then run the same command again", cause)
	case cloud.IsTransient(cause):
		return fmt.Errorf("stopped after trying for %s: %w; run the same command again to go on", a.command.RetryFor, cause)
	default:
		lost := ""
		if y.lost > 0 {
			lost = fmt.Sprintf(" %d were under way and may have been written.", y.lost)
		}
		fmt.Fprintf(y.t.err, "stopped before the end.%s Run the same command again to go on; what is done already stays unchanged.\n", lost)
		return errReported
	}
	if len(y.failures) > 0 {
		return errReported
	}
	return nil
}

// printFailures shows each kind with its first examples.
func (y *tally) printFailures() {
	kinds := make([]*failure, 0, len(y.failures))
	for _, f := range y.failures {
		kinds = append(kinds, f)
	}
	slices.SortFunc(kinds, func(a, b *failure) int { return cmp.Or(b.count-a.count, strings.Compare(a.kind, b.kind)) })
	for _, f := range kinds {
		fmt.Fprintf(y.t.err, "%s %s:\n", grouped(f.count), f.kind)
		for _, example := range f.examples {
			fmt.Fprintln(y.t.err, "  "+oneLine(example))
		}
		if more := f.count - len(f.examples); more > 0 {
			fmt.Fprintf(y.t.err, "  and %s more\n", grouped(more))
		}
	}
}
