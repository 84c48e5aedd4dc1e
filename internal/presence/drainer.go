package presence

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
)

// queued bounds the devices that wait for a drain in this process. What does not fit waits in Redis until somebody's sweep
// finds it.
const queued = 1 << 16

// A drainer stores the events that wait in outboxes, those of one device one after the other, those of several devices at
// the same time. It has goroutines only while there is work.
type drainer struct {
	tracker *Tracker
	most    int           // drains at the same time
	freed   chan struct{} // wakes the sweep

	mu     sync.Mutex
	jobs   map[string]*job // by device, waiting and running
	queue  []string
	busy   int           // goroutines
	others int           // jobs that the sweep has found
	closed bool          // takes no more of those
	idle   chan struct{} // closed when there is no job; nil unless somebody waits
}

// A job is the drain of one device.
type job struct {
	again bool // events were added after the drain may have looked
	other bool // found by the sweep
}

func newDrainer(t *Tracker, most int) *drainer {
	return &drainer{tracker: t, most: most, freed: make(chan struct{}, 1), jobs: map[string]*job{}}
}

// kick has the events of a device stored soon.
func (d *drainer) kick(member string) { d.add(member, false) }

// add queues a job.
func (d *drainer) add(member string, other bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if j, ok := d.jobs[member]; ok {
		j.again = true
		return
	}
	if len(d.queue) >= queued || other && d.closed || d.tracker.ctx.Err() != nil {
		return
	}
	d.jobs[member] = &job{other: other}
	if other {
		d.others++
	}
	d.queue = append(d.queue, member)
	if d.busy < d.most {
		d.busy++
		go d.work(d.tracker.ctx)
	}
}

// room is how many devices the sweep may add: at most half of what can be done goes to events that others left behind, or
// that could not be stored before, so that new ones are never held up by them.
func (d *drainer) room() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0
	}
	return max(0, d.most/2-d.others)
}

// refuseOthers keeps the sweep from adding more.
func (d *drainer) refuseOthers() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// next is the job to do, or nothing, in which case the goroutine ends.
func (d *drainer) next() (member string, j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		d.queue = nil
		d.busy--
		return "", nil
	}
	member, d.queue[0] = d.queue[0], ""
	d.queue = d.queue[1:]
	return member, d.jobs[member]
}

// finish ends a job, unless something was added meanwhile.
func (d *drainer) finish(member string, j *job, drained bool) (ended bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if drained && j.again {
		j.again = false
		return false
	}
	delete(d.jobs, member)
	if j.other {
		d.others--
		if d.others <= d.most/4 {
			poke(d.freed)
		}
	}
	if len(d.jobs) == 0 && d.idle != nil {
		close(d.idle)
		d.idle = nil
	}
	return true
}

func (d *drainer) work(ctx context.Context) {
	for member, j := d.next(); j != nil; member, j = d.next() {
		for !d.finish(member, j, d.tracker.drain(ctx, member)) {
		}
	}
}

// wait returns when there is no job.
func (d *drainer) wait(ctx context.Context) error {
	d.mu.Lock()
	if len(d.jobs) == 0 {
		d.mu.Unlock()
		return nil
	}
	if d.idle == nil {
		d.idle = make(chan struct{})
	}
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// drain stores the events of one device until none waits. It tells whether it got that far; if not, the device is looked
// after again later, here or elsewhere.
func (t *Tracker) drain(ctx context.Context, member string) bool {
	process, life := t.identity()
	first, stored := "", 0
	for ctx.Err() == nil {
		h, err := t.advance(ctx, process, member, first, stored)
		if err != nil || h.verdict != granted {
			t.allStored(h)
			return err == nil && h.verdict == finished
		}
		first = header(h.list[0])
		var age time.Duration
		if stored, age = t.publishAll(ctx, life, h.list); stored < len(h.list) {
			t.putOff(ctx, process, member, first, stored, age)
			return false
		}
	}
	return false
}

// allStored notes that nothing waits any more, if so.
func (t *Tracker) allStored(h handout) {
	if h.verdict != finished || len(h.list) == 0 {
		return
	}
	if e, err := parseEpoch(h.list[0]); err == nil {
		t.stored(e)
	}
}

// advance asks for events. What is stored it reports as long as it takes, and once more when this process closes, since
// nobody else knows: who does not hear of it stores the events again.
func (t *Tracker) advance(ctx context.Context, process, member, first string, stored int) (handout, error) {
	pauses := backoff.New(minPause, maxPause)
	for {
		h, err := t.ledger.advance(ctx, process, member, first, stored)
		if err == nil {
			return h, nil
		}
		t.metrics.failure(failedRedis)
		if stored == 0 {
			return h, err
		}
		if !pauses.Wait(ctx) {
			ctx, cancel := t.parting(ctx)
			defer cancel()
			return t.ledger.advance(ctx, process, member, first, stored)
		}
	}
}

// putOff leaves the rest for later: the longer the oldest event has waited, the later.
func (t *Tracker) putOff(ctx context.Context, process, member, first string, stored int, age time.Duration) {
	if stored > 0 {
		if h, err := t.advance(ctx, process, member, first, stored); err != nil || h.verdict != granted {
			return
		}
	}
	delay := min(max(minPause, age/2), t.config.MaxPause)
	if err := t.ledger.postpone(ctx, process, member, delay); err != nil {
		t.metrics.failure(failedRedis)
	}
}

// publishAll stores events in order, up to the first that cannot be stored now. It tells how many are done with, and the age
// of the next one.
func (t *Tracker) publishAll(ctx context.Context, life uint32, events []string) (done int, age time.Duration) {
	for i, text := range events {
		e, err := decodeEntry(text)
		if err != nil {
			t.metrics.event(unreadableEvent)
			t.log.Error("a waiting event cannot be read and is given up", zap.Error(err))
			continue
		}
		age := time.Since(e.time)
		if age > t.config.Keep {
			t.metrics.event(expiredEvent)
			t.log.Error("an event could not be stored for too long and is given up",
				zap.String("application", e.origin.Application), zap.String("device", e.origin.Device), zap.Duration("age", age))
			continue
		}
		// A process that may be dead to the others, or closes, stores nothing: they do.
		if ctx.Err() != nil || !t.sure(life) || !t.publish(ctx, &e) {
			return i, age
		}
	}
	return len(events), 0
}

// sure tells whether nobody can have declared that life of this process over.
func (t *Tracker) sure(life uint32) bool {
	_, now := t.identity()
	return now == life && t.heart.sure()
}

// publish stores one event and tells whether it is done with: stored, or refused for good. It waits for the answer, which
// always comes, even when this process closes meanwhile: an event of which nobody knows that it is stored is stored again.
func (t *Tracker) publish(ctx context.Context, e *entry) bool {
	answer := make(chan outcome.Result, 1)
	t.publisher.Publish(ctx, e.session(), nil, e.message(), func(r outcome.Result) { answer <- r })
	switch r := <-answer; {
	case r.Outcome.Good():
		t.metrics.stored(e)
	case r.Outcome == outcome.Overloaded || r.Outcome == outcome.Unavailable || r.Outcome == outcome.Internal:
		t.metrics.event(delayedEvent)
		return false
	default:
		t.metrics.event(refusedEvent)
		t.log.Warn("an event was refused and is given up", zap.String("outcome", r.Outcome.String()),
			zap.String("application", e.origin.Application), zap.String("device", e.origin.Device))
	}
	if e.kind == connected {
		t.stored(e.epoch)
	}
	return true
}

// stored says that the connection event of a session is stored.
func (t *Tracker) stored(e epoch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.leases[e]; l != nil {
		l.stored = true
		l.announce()
	}
}
