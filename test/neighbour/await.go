package neighbour

import (
	"context"
	"fmt"
	"testing"
	"time"
)

const (
	pollInterval = 10 * time.Millisecond

	// eventuallyTimeout only bounds a test that fails. It is generous because a loaded machine with two cores is still a correct one.
	eventuallyTimeout = 60 * time.Second
)

// Await calls condition every 10 ms until it returns nil. When ctx ends first, the error names what was awaited and holds the condition's
// last error.
func Await(ctx context.Context, what string, condition func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		last := condition(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (last: %w)", what, context.Cause(ctx), last)
		case <-ticker.C:
		}
	}
}

// Eventually fails the test at once unless condition becomes true within a minute. It says nothing about time: the minute is there so
// that a broken test ends.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventuallyTimeout)
	defer cancel()
	err := Await(ctx, what, func(context.Context) error {
		if !condition() {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
