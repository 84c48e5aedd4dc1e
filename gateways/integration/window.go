package integration

import (
	"context"
	"strconv"
	"sync"

	"github.com/fairlead/fairlead/internal/feed"
)

const (
	defaultWindow = 100
	maxWindow     = 1000
)

// acknowledgements reads the parts of a query that ask for them.
func (r *request) acknowledgements(wanted, window string) error {
	switch wanted {
	case "", "false":
	case "true":
		r.acknowledge = true
	default:
		return invalid("acknowledge: must be true or false")
	}
	if window != "" {
		n, err := strconv.Atoi(window)
		if err != nil || n < 1 || n > maxWindow {
			return invalid("window: must lie between 1 and 1000")
		}
		r.window = n
	}
	return nil
}

// A window holds the events that were sent to a client and not acknowledged, the oldest first. It is safe for concurrent use.
type window struct {
	slots chan struct{} // holds one for each
	mu    sync.Mutex
	sent  []feed.Settlement
	ended bool
}

func newWindow(size int) *window { return &window{slots: make(chan struct{}, size)} }

// wait waits for room for one more.
func (w *window) wait(ctx context.Context) error {
	select {
	case w.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// push adds one for which wait has made room.
func (w *window) push(s feed.Settlement) {
	w.mu.Lock()
	ended := w.ended
	if !ended {
		w.sent = append(w.sent, s)
	}
	w.mu.Unlock()
	if ended {
		s.Abandon()
	}
}

// acknowledge settles the oldest n, and tells whether there are so many.
func (w *window) acknowledge(n int) bool {
	w.mu.Lock()
	if n < 1 || n > len(w.sent) {
		w.mu.Unlock()
		return false
	}
	done := w.sent[:n:n]
	w.sent = w.sent[n:]
	w.mu.Unlock()
	for _, s := range done {
		s.Done()
		<-w.slots
	}
	return true
}

// end gives up what is not acknowledged.
func (w *window) end() {
	w.mu.Lock()
	left := w.sent
	w.sent, w.ended = nil, true
	w.mu.Unlock()
	for _, s := range left {
		s.Abandon()
	}
}
