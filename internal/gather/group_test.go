package gather_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/gather"
)

// A world runs what it gets when the test says so.
type world struct {
	*gather.Group[string]
	got    chan []string
	resume chan struct{}
	ctx    chan context.Context
}

func newWorld(l gather.Limits, suits func(first, item string) bool) *world {
	w := &world{got: make(chan []string), resume: make(chan struct{}), ctx: make(chan context.Context, 100)}
	w.Group = gather.New(l, suits, func(ctx context.Context, items []string) {
		w.ctx <- ctx
		w.got <- items
		<-w.resume
	})
	return w
}

// do does something, and returns when it waits or has been done.
func (w *world) do(ctx context.Context, item string) <-chan error {
	done := make(chan error, 1)
	began := w.Waiting()
	go func() { done <- w.Do(ctx, item) }()
	for w.Waiting() == began && len(w.ctx) == 0 && len(done) == 0 {
		runtime.Gosched()
	}
	return done
}

func (w *world) want(t *testing.T, items ...string) {
	t.Helper()
	if got := <-w.got; !slices.Equal(got, items) {
		t.Errorf("got %q, want %q", got, items)
	}
	<-w.ctx
}

func TestWhatComesMeanwhileIsDoneTogether(t *testing.T) {
	w := newWorld(gather.Limits{Together: 3, AtOnce: 1}, func(first, item string) bool { return first[0] == item[0] })
	first := w.do(t.Context(), "a1")
	w.want(t, "a1")
	var waiting []<-chan error
	for _, item := range []string{"a2", "b1", "a3", "a4", "a5", "b2"} {
		waiting = append(waiting, w.do(t.Context(), item))
	}
	w.resume <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	w.want(t, "a2", "a3", "a4")
	w.resume <- struct{}{}
	w.want(t, "b1", "b2")
	w.resume <- struct{}{}
	w.want(t, "a5")
	w.resume <- struct{}{}
	for _, done := range waiting {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestRunsAtOnce(t *testing.T) {
	w := newWorld(gather.Limits{Together: 3, AtOnce: 2}, nil)
	a := w.do(t.Context(), "a")
	w.want(t, "a")
	b := w.do(t.Context(), "b")
	w.want(t, "b")
	close(w.resume)
	if err := errors.Join(<-a, <-b); err != nil {
		t.Error(err)
	}
}

func TestWhoGivesUpIsNotDone(t *testing.T) {
	w := newWorld(gather.Limits{Together: 3, AtOnce: 1}, nil)
	first := w.do(t.Context(), "a")
	w.want(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	second, third := w.do(ctx, "b"), w.do(t.Context(), "c")
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was given up", err)
	}
	w.resume <- struct{}{}
	w.want(t, "c")
	w.resume <- struct{}{}
	if err := errors.Join(<-first, <-third); err != nil {
		t.Error(err)
	}
}

// A run goes on as long as anybody waits for it, and no longer.
func TestContextOfARun(t *testing.T) {
	w := newWorld(gather.Limits{Together: 3, AtOnce: 1}, nil)
	first := w.do(t.Context(), "a")
	w.want(t, "a")
	one, cancelOne := context.WithCancel(t.Context())
	two, cancelTwo := context.WithCancel(t.Context())
	second, third := w.do(one, "b"), w.do(two, "c")
	w.resume <- struct{}{}
	ctx := <-w.ctx
	if got := <-w.got; len(got) != 2 {
		t.Fatalf("got %q", got)
	}
	cancelOne()
	if ctx.Err() != nil {
		t.Error("a run ends while somebody waits for it")
	}
	cancelTwo()
	<-ctx.Done()
	w.resume <- struct{}{}
	if err := errors.Join(<-first, <-second, <-third); err != nil {
		t.Errorf("what a run got is done: %v", err)
	}
}
