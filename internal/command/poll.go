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

// Wait waits until there is a command, the time is over, ctx ends, or one of two channels is closed, which may be nil: the device is not
// admitted any more, or the process is about to end. When it returns, the poll is over: a command was taken if it is returned, and only
// then.
func (p *Poll) Wait(ctx context.Context, d time.Duration, revoked, closing <-chan struct{}) (c Command, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.arrived:
	case <-timer.C:
	case <-ctx.Done():
	case <-revoked:
	case <-closing:
	}
	command := p.end()
	if command == nil {
		p.hub.metrics.polled(pollEmpty)
		return c, false
	}
	p.hub.metrics.polled(pollTaken)
	return *command, true
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
