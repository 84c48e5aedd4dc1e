package presence

import (
	"context"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
)

// Pauses between attempts to reach Redis.
const (
	minPause = 50 * time.Millisecond
	maxPause = time.Second
)

// endings are the sessions whose end is not written to Redis yet. They are at most as many as there were sessions, since
// none begins while Redis is away. One goroutine writes them, in batches, while there are any.
type endings struct {
	tracker *Tracker

	mu    sync.Mutex
	queue []*Lease
	done  chan struct{} // closed when the writer ends; nil while there is none
}

func (e *endings) add(l *Lease) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, l)
	if e.done == nil {
		e.done = make(chan struct{})
		go e.write(e.tracker.ctx)
	}
}

// take is the next batch. Without one the writer ends.
func (e *endings) take() []*Lease {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queue) == 0 {
		e.queue = nil
		close(e.done)
		e.done = nil
		return nil
	}
	n := min(len(e.queue), sessionBatch)
	batch := append([]*Lease(nil), e.queue[:n]...)
	clear(e.queue[:n])
	e.queue = e.queue[n:]
	return batch
}

// giveBack puts what could not be written before everything else.
func (e *endings) giveBack(batch []*Lease) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(batch, e.queue...)
}

func (e *endings) write(ctx context.Context) {
	pauses := backoff.New(minPause, maxPause)
	for batch := e.take(); batch != nil; batch = e.take() {
		left := e.tracker.end(ctx, batch)
		if len(left) == 0 {
			pauses.Reset()
			continue
		}
		e.giveBack(left)
		if !pauses.Wait(ctx) {
			return
		}
	}
}

// wait returns when everything is written.
func (e *endings) wait(ctx context.Context) error {
	for {
		e.mu.Lock()
		done := e.done
		e.mu.Unlock()
		if done == nil {
			return nil
		}
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// end writes the ends of sessions and gives back those that are to be tried again.
func (t *Tracker) end(ctx context.Context, batch []*Lease) (left []*Lease) {
	process, sessions := t.attempt(batch)
	changes, err := t.ledger.end(ctx, process, false, sessions)
	if err != nil {
		t.metrics.failure(failedRedis)
		return batch
	}
	for i, l := range batch {
		if changes[i].verdict == unknown {
			poke(t.heart.now)
			left = append(left, l)
			continue
		}
		t.ended(l, changes[i])
	}
	return left
}

// attempt describes the ends of sessions. That Redis has lost a session keeps its end from being made known only if this
// process was declared dead since: then it is known.
func (t *Tracker) attempt(batch []*Lease) (process string, sessions []ending) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sessions = make([]ending, len(batch))
	for i, l := range batch {
		s := ending{member: l.member(), epoch: l.epoch.String(), time: time.UnixMicro(l.ended), fire: l.fire}
		if s.force = l.force && l.life == t.life; s.force {
			s.origin, s.will = l.origin(), l.will
		}
		sessions[i] = s
	}
	return processName(t.node, t.life), sessions
}

// ended is called when the end of a session is written.
func (t *Tracker) ended(l *Lease, c change) {
	t.metrics.end(c)
	t.forget(l)
	if c.queued > 0 {
		t.drainer.kick(l.member())
	}
}
