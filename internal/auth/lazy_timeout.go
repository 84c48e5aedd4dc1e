package auth

import (
	"context"
	"sync"
	"time"
)

// A LazyTimeout is a context with a timeout that costs nothing until somebody waits for it. Most decisions come from memory, and
// nobody waits for those.
type LazyTimeout struct {
	context.Context
	until time.Time

	mu      sync.Mutex
	waiting context.Context // nil until somebody waits
	stop    context.CancelFunc
}

var _ context.Context = (*LazyTimeout)(nil)

// WithLazyTimeout makes a context for one question to an Authenticator. Cancel must be called.
func WithLazyTimeout(parent context.Context, timeout time.Duration) *LazyTimeout {
	return &LazyTimeout{Context: parent, until: time.Now().Add(timeout)}
}

// started is the context with its timer.
func (p *LazyTimeout) started() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		p.waiting, p.stop = context.WithDeadline(p.Context, p.until)
	}
	return p.waiting
}

// Deadline is the earlier one of the parent's and the own.
func (p *LazyTimeout) Deadline() (time.Time, bool) {
	if parent, ok := p.Context.Deadline(); ok && parent.Before(p.until) {
		return parent, true
	}
	return p.until, true
}

// Done is closed when the time is over, or when the parent ends.
func (p *LazyTimeout) Done() <-chan struct{} { return p.started().Done() }

// Err tells why it ended.
func (p *LazyTimeout) Err() error {
	if err := p.Context.Err(); err != nil || time.Now().Before(p.until) {
		return err
	}
	return p.started().Err()
}

// Cancel releases what waiting took.
func (p *LazyTimeout) Cancel() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
	}
}
