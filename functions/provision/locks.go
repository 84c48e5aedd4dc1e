package provision

import (
	"context"
	"sync"
)

// locks are one for each name. The zero value is ready for use.
type locks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the name is free
}

// lock waits until nobody else has the name, or ctx ends.
func (l *locks) lock(ctx context.Context, name string) (unlock func(), err error) {
	for {
		unlock, busy := l.try(name)
		if unlock != nil {
			return unlock, nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try takes a name that nobody has, or gives what is closed when it is free.
func (l *locks) try(name string) (unlock func(), busy <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if busy, ok := l.held[name]; ok {
		return nil, busy
	}
	if l.held == nil {
		l.held = map[string]chan struct{}{}
	}
	free := make(chan struct{})
	l.held[name] = free
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.held, name)
		close(free)
	}, nil
}
