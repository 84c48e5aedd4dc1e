package mqtt

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// idleWait is how long a recheck queue without entries sleeps, if nothing wakes it.
const idleWait = time.Hour

// A recheckQueue knows when something is to be done with a session: it needs no goroutine and no timer for each. What is due is
// done by a bounded number of goroutines; what does not get one waits.
type recheckQueue struct {
	slots chan struct{}
	wake  chan struct{} // has room for one

	mu      sync.Mutex
	entries entries
}

// A recheck is a session's place in a recheck queue.
type recheck struct {
	session *session
	due     time.Time
	index   int // in entries; -1 if not there
	removed bool
}

func newRecheckQueue(slots int) *recheckQueue {
	return &recheckQueue{slots: make(chan struct{}, slots), wake: make(chan struct{}, 1)}
}

// put has a session due at a time, instead of any other. A session that was removed stays out.
func (c *recheckQueue) put(e *recheck, due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.removed {
		return
	}
	e.due = due
	if e.index < 0 {
		heap.Push(&c.entries, e)
	} else {
		heap.Fix(&c.entries, e.index)
	}
	if c.entries[0] == e {
		c.wakeUp()
	}
}

// remove takes a session out for good.
func (c *recheckQueue) remove(e *recheck) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.removed = true
	if e.index >= 0 {
		heap.Remove(&c.entries, e.index)
	}
}

func (c *recheckQueue) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// len is the number of sessions for which something is to be done some time.
func (c *recheckQueue) len() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.entries))
}

// run does what is due until ctx ends, and waits for what it has begun.
func (c *recheckQueue) run(ctx context.Context, do func(context.Context, *session)) {
	var begun sync.WaitGroup
	defer begun.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s, wait := c.next(time.Now())
		if s == nil {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-c.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		begun.Go(func() {
			defer func() { <-c.slots }()
			do(ctx, s)
		})
	}
}

// next takes out the session that is due first, or tells how long until one is.
func (c *recheckQueue) next(now time.Time) (*session, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) == 0 {
		return nil, idleWait
	}
	first := c.entries[0]
	if wait := first.due.Sub(now); wait > 0 {
		return nil, wait
	}
	heap.Pop(&c.entries)
	return first.session, 0
}

// entries is a heap by due time.
type entries []*recheck

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].due.Before(e[j].due) }

func (e entries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

func (e *entries) Push(x any) {
	added := x.(*recheck)
	added.index = len(*e)
	*e = append(*e, added)
}

func (e *entries) Pop() any {
	last := len(*e) - 1
	popped := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	popped.index = -1
	return popped
}
