package command

import (
	"context"
	"sync"
)

// A Hub knows who listens in this process.
type Hub struct {
	metrics *hubMetrics
	mu      sync.RWMutex
	// listeners by connected device, so that a command looks at those of one device only.
	listeners map[address]map[*Listener]struct{}
}

// An address is a connected device.
type address struct{ application, device string }

// A Listener is an interest in commands. Close ends it.
type Listener struct {
	hub     *Hub
	filter  Filter
	deliver func(Command)
}

// NewHub makes a Hub without listeners.
func NewHub() *Hub {
	h := &Hub{listeners: map[address]map[*Listener]struct{}{}}
	h.metrics = newHubMetrics(h.len)
	return h
}

// Listen has deliver called for each command that matches, from any goroutine. deliver must not block: it hands the
// command to a bounded queue, such as a [Queue]. When Listen returns, no command is missed any more.
func (h *Hub) Listen(_ context.Context, f Filter, deliver func(Command)) (*Listener, error) {
	l := &Listener{hub: h, filter: f, deliver: deliver}
	key := address{f.Application, f.Gateway}
	h.mu.Lock()
	defer h.mu.Unlock()
	set := h.listeners[key]
	if set == nil {
		set = map[*Listener]struct{}{}
		h.listeners[key] = set
	}
	set[l] = struct{}{}
	return l, nil
}

// Close ends the interest. A command that is being delivered may still arrive. Closing again does nothing.
func (l *Listener) Close() {
	key := address{l.filter.Application, l.filter.Gateway}
	l.hub.mu.Lock()
	defer l.hub.mu.Unlock()
	set := l.hub.listeners[key]
	delete(set, l)
	if len(set) == 0 {
		delete(l.hub.listeners, key)
	}
}

// Deliver hands a command to every listener of this process that takes it, and tells how many there were. The payload
// must not change afterwards.
func (h *Hub) Deliver(c Command) (reached int) {
	for _, l := range h.matching(&c) {
		l.deliver(c)
		reached++
	}
	h.metrics.delivered(reached)
	return reached
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
