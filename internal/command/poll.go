package command

import (
	"context"
	"sync"
	"time"
)

// For is the filter of who takes the commands for one device through a connected device, which may be that device itself.
func For(application, gateway, device, protocol string) Filter {
	f := Filter{Application: application, Gateway: gateway, Protocol: protocol}
	if device != gateway {
		f.Scope, f.Device = One, device
	}
	return f
}

// A Poll takes one command at most: the first that comes after it began, until it ends.
type Poll struct {
	listener *Listener
	arrived  chan struct{} // closed when there is a command
	hub      *Hub

	mu      sync.Mutex
	over    bool // no command is taken any more
	command *Command
}

// Poll begins to listen: from when it returns, no command is missed. Errors are those of Listen. Wait or Close must be called.
func (h *Hub) Poll(ctx context.Context, f Filter) (*Poll, error) {
	p := &Poll{hub: h, arrived: make(chan struct{})}
	var err error
	if p.listener, err = h.Listen(ctx, f, p.take); err != nil {
		h.metrics.polled(pollFailed)
		return nil, err
	}
	return p, nil
}

func (p *Poll) take(c Command) (taken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || p.command != nil {
		return false
	}
	p.command = &c
	close(p.arrived)
	return true
}

// An Admission is what a request that waits rests on.
type Admission interface {
	// Revoked is closed when the admission has to be judged again; nil is never.
	Revoked() <-chan struct{}
	// Renew judges it again, and tells whether the device is still admitted; then Revoked is another channel. It returns when ctx ends.
	Renew(ctx context.Context) bool
}

// Wait waits until there is a command, the time is over, ctx ends, the device is not admitted any more, or closing is closed, which may be
// nil: the process is about to end. When it returns, the poll is over: a command was taken if it is returned, and only then.
func (p *Poll) Wait(ctx context.Context, d time.Duration, a Admission, closing <-chan struct{}) (c Command, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	p.await(ctx, a, closing)
	command := p.end()
	if command == nil {
		p.hub.metrics.polled(pollEmpty)
		return c, false
	}
	p.hub.metrics.polled(pollTaken)
	return *command, true
}

// await returns when waiting is over.
func (p *Poll) await(ctx context.Context, a Admission, closing <-chan struct{}) {
	for {
		select {
		case <-p.arrived:
			return
		case <-ctx.Done():
			return
		case <-closing:
			return
		case <-a.Revoked():
		}
		if !p.renew(ctx, a, closing) {
			return
		}
	}
}

// renew has the admission judged again. Until that is decided the poll goes on as it was.
func (p *Poll) renew(ctx context.Context, a Admission, closing <-chan struct{}) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	renewed := make(chan bool, 1)
	go func() { renewed <- a.Renew(ctx) }()
	select {
	case ok := <-renewed:
		return ok
	case <-p.arrived:
	case <-closing:
	}
	cancel()
	<-renewed // Renew is not called again, nor is the admission used, while it goes on
	return false
}

// Close ends a poll that does not wait.
func (p *Poll) Close() { p.end() }

func (p *Poll) end() *Command {
	p.mu.Lock()
	p.over = true
	command := p.command
	p.mu.Unlock()
	p.listener.Close()
	return command
}
