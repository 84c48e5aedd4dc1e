package gather_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/gather"
)

// Everybody gets what was read after he asked, however many ask, and nobody waits for another key.
func TestReadsAreShared(t *testing.T) {
	var stored, reads atomic.Int64
	began, resume := make(chan struct{}), make(chan struct{})
	r := gather.NewReads(func(_ context.Context, key string) (int64, error) {
		if key == "bad" {
			return 0, errBad
		}
		value := stored.Load()
		if reads.Add(1) == 1 {
			close(began)
			<-resume
		}
		return value, nil
	})
	var asking sync.WaitGroup
	get := func(want int64) {
		asking.Go(func() {
			if got, err := r.Get(t.Context(), "a"); err != nil || got != want {
				t.Errorf("got %d, %v, want %d", got, err, want)
			}
		})
	}
	get(0)
	<-began
	stored.Store(1)
	for range 3 {
		get(1)
	}
	for gather.Waiting(r, "a") < 3 {
		runtime.Gosched()
	}
	if _, err := r.Get(t.Context(), "bad"); !errors.Is(err, errBad) {
		t.Errorf("%v, want the error of the read", err)
	}
	close(resume)
	asking.Wait()
	if n := reads.Load(); n != 2 {
		t.Errorf("%d reads, want 2", n)
	}
	if n := gather.Keys(r); n != 0 {
		t.Errorf("%d keys are kept", n)
	}
}

var errBad = errors.New("bad")

func TestReadGivenUp(t *testing.T) {
	r := gather.NewReads(func(ctx context.Context, _ string) (int, error) {
		<-ctx.Done()
		return 0, context.Cause(ctx)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if _, err := r.Get(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that of the context", err)
	}
}
