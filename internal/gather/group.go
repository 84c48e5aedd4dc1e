package gather

import (
	"context"
	"sync"
	"sync/atomic"
)

// Limits of a group.
type Limits struct {
	Together int // items of one run, at least 1
	AtOnce   int // runs at the same time, at least 1
}

// A Group hands items to a function: one at once while nothing is being done, and what comes meanwhile together. It is safe
// for concurrent use.
type Group[T any] struct {
	limits Limits
	suits  func(first, item T) bool
	run    func(context.Context, []T)

	mu      sync.Mutex
	queue   []*waiter[T]
	runners int
}

// A waiter waits until its item is done.
type waiter[T any] struct {
	ctx  context.Context
	item T
	done chan struct{}
}

// New makes a group. Items may be done together with the first one of a run that they suit; nil is any. The context of a run
// ends when those of all its items have.
func New[T any](l Limits, suits func(first, item T) bool, run func(context.Context, []T)) *Group[T] {
	if suits == nil {
		suits = func(T, T) bool { return true }
	}
	return &Group[T]{limits: l, suits: suits, run: run}
}

// Do returns when the function has returned that got the item. The error is that of the context, if it ends before the
// function got it; then the function does not.
func (g *Group[T]) Do(ctx context.Context, item T) error {
	w := &waiter[T]{ctx, item, make(chan struct{})}
	g.mu.Lock()
	g.queue = append(g.queue, w)
	start := g.runners < g.limits.AtOnce
	if start {
		g.runners++
	}
	g.mu.Unlock()
	if start {
		go g.work()
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	if g.withdraw(w) {
		return ctx.Err()
	}
	<-w.done
	return nil
}

// withdraw takes a waiter out of the queue, if it is still there.
func (g *Group[T]) withdraw(w *waiter[T]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.queue {
		if other == w {
			g.queue = append(g.queue[:i:i], g.queue[i+1:]...)
			return true
		}
	}
	return false
}

// work does what waits, until nothing does.
func (g *Group[T]) work() {
	for batch := g.take(); batch != nil; batch = g.take() {
		g.runAll(batch)
	}
}

// take takes the first waiter and those that suit it. Without any the runner is done.
func (g *Group[T]) take() (batch []*waiter[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		g.runners--
		g.queue = nil
		return nil
	}
	var rest []*waiter[T]
	for i, w := range g.queue {
		if len(batch) == g.limits.Together {
			rest = append(rest, g.queue[i:]...)
			break
		}
		if i > 0 && !g.suits(batch[0].item, w.item) {
			rest = append(rest, w)
			continue
		}
		batch = append(batch, w)
	}
	g.queue = rest
	return batch
}

func (g *Group[T]) runAll(batch []*waiter[T]) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(batch[0].ctx))
	defer cancel()
	var left atomic.Int64
	left.Store(int64(len(batch)))
	items := make([]T, len(batch))
	for i, w := range batch {
		items[i] = w.item
		stop := context.AfterFunc(w.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})
		defer stop()
		defer close(w.done)
	}
	g.run(ctx, items)
}
