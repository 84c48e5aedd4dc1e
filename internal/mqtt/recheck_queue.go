package mqtt

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// idleWait is how long an empty queue sleeps, if nothing wakes it.
const idleWait = time.Hour

// A recheckQueue knows when something is to be done with a session: it needs no goroutine and no timer for each. What is due
// is done by a bounded number of goroutines; what does not get one waits.
type recheckQueue struct {
	slots chan struct{}
	wake  chan struct{} // has room for one

	mu      sync.Mutex
	entries entries
}

// A place is where a session stands in a queue.
type place struct {
	due     time.Time
	index   int // in entries; -1 if not there
	removed bool
}

func newRecheckQueue(slots int) *recheckQueue {
	return &recheckQueue{slots: make(chan struct{}, slots), wake: make(chan struct{}, 1)}
}

// put has a session due at a time, instead of any other. A session that was removed stays out.
func (q *recheckQueue) put(e *Recheck, due time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.place.removed {
		return
	}
	e.place.due = due
	if e.place.index < 0 {
		heap.Push(&q.entries, e)
	} else {
		heap.Fix(&q.entries, e.place.index)
	}
	if q.entries[0] == e {
		q.wakeUp()
	}
}

// remove takes a session out for good.
func (q *recheckQueue) remove(e *Recheck) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e.place.removed = true
	if e.place.index >= 0 {
		heap.Remove(&q.entries, e.place.index)
	}
}

func (q *recheckQueue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// len is the number of sessions for which something is to be done some time.
func (q *recheckQueue) len() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(len(q.entries))
}

// run does what is due until ctx ends, and waits for what it has begun.
func (q *recheckQueue) run(ctx context.Context, do func(context.Context, *Recheck)) {
	var begun sync.WaitGroup
	defer begun.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, wait := q.next(time.Now())
		if due == nil {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-q.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		select {
		case q.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		begun.Go(func() {
			defer func() { <-q.slots }()
			do(ctx, due)
		})
	}
}

// next takes out the session that is due first, or tells how long until one is.
func (q *recheckQueue) next(now time.Time) (*Recheck, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.entries) == 0 {
		return nil, idleWait
	}
	first := q.entries[0]
	if wait := first.place.due.Sub(now); wait > 0 {
		return nil, wait
	}
	heap.Pop(&q.entries)
	return first, 0
}

// entries is a heap by due time.
type entries []*Recheck

func (e entries) Len() int           { return len(e) }
func (e entries) Less(i, j int) bool { return e[i].place.due.Before(e[j].place.due) }

func (e entries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place.index, e[j].place.index = i, j
}

func (e *entries) Push(x any) {
	added := x.(*Recheck)
	added.place.index = len(*e)
	*e = append(*e, added)
}

func (e *entries) Pop() any {
	last := len(*e) - 1
	popped := (*e)[last]
	(*e)[last] = nil
	*e = (*e)[:last]
	popped.place.index = -1
	return popped
}
