package command

import (
	"context"
	"sync"
)

// A Hub knows who listens in this process.
type Hub struct {
	metrics *hubMetrics
	router  *Router // nil: commands come from this process only
	mu      sync.RWMutex
	// listeners by connected device, so that a command looks at those of one device only.
	listeners map[address]map[*Listener]struct{}
}

// An address is a connected device.
type address struct{ application, device string }

func (f *Filter) address() address { return address{f.Application, f.Gateway} }

// A Listener is an interest in commands. Close ends it.
type Listener struct {
	hub     *Hub
	filter  Filter
	deliver func(Command) bool
	once    sync.Once
}

// NewHub makes a Hub without listeners.
func NewHub() *Hub {
	h := &Hub{listeners: map[address]map[*Listener]struct{}{}}
	h.metrics = newHubMetrics(h.len)
	return h
}

// Listen has deliver called for each command that matches, from any goroutine, and perhaps before Listen returns. deliver tells whether
// it takes the command. It must not block: it hands the command to a bounded queue, such as a [Queue]. When Listen returns, no command
// is missed any more. The error is outcome.Unavailable, when that could not be agreed with Redis in time.
func (h *Hub) Listen(ctx context.Context, f Filter, deliver func(Command) (taken bool)) (*Listener, error) {
	l := &Listener{hub: h, filter: f, deliver: deliver}
	h.add(l)
	if h.router == nil {
		return l, nil
	}
	if err := h.router.listen(ctx, f.address()); err != nil {
		h.remove(l)
		return nil, err
	}
	return l, nil
}

func (h *Hub) add(l *Listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := l.filter.address()
	set := h.listeners[key]
	if set == nil {
		set = map[*Listener]struct{}{}
		h.listeners[key] = set
	}
	set[l] = struct{}{}
}

func (h *Hub) remove(l *Listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := l.filter.address()
	set := h.listeners[key]
	delete(set, l)
	if len(set) == 0 {
		delete(h.listeners, key)
	}
}

// Close ends the interest. A command that is being delivered may still arrive. Closing again does nothing.
func (l *Listener) Close() {
	l.once.Do(func() {
		l.hub.remove(l)
		if l.hub.router != nil {
			l.hub.router.leave(l.filter.address())
		}
	})
}

// Deliver hands a command to every listener of this process that matches, and tells which took it. The payload must not change
// afterwards.
func (h *Hub) Deliver(c Command) (reach Reach) {
	for _, l := range h.matching(&c) {
		of := Reached{Protocol: l.filter.Protocol}
		if l.deliver(c) {
			of.Taken = 1
		} else {
			of.Refused = 1
		}
		reach = reach.add(of)
	}
	h.metrics.delivered(reach.Taken())
	return reach
}

func (h *Hub) matching(c *Command) (all []*Listener) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for l := range h.listeners[address{c.Application, c.Gateway}] {
		if l.filter.Matches(c) {
			all = append(all, l)
		}
	}
	return all
}

// len is the number of devices that listen.
func (h *Hub) len() int64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return int64(len(h.listeners))
}
