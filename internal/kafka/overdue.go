package kafka

import (
	"sync"
	"time"
)

// overdue finishes writes that Kafka does not answer in time. All have the same time, so that the oldest is always the next to
// be due: one timer serves them all, and costs a write less than a timer of its own.
type overdue struct {
	timeout time.Duration

	mu          sync.Mutex
	first, last *write // those without an answer, oldest first
	timer       *time.Timer
	none        func() // called when the last of them was finished because its time was over; may be nil
}

func newOverdue(timeout time.Duration) *overdue {
	o := &overdue{timeout: timeout}
	o.timer = time.AfterFunc(timeout, o.expire)
	o.timer.Stop()
	return o
}

// add has a write finished when its time is over.
func (o *overdue) add(w *write) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w.listed = true
	if o.first == nil {
		o.first, o.last = w, w
		o.timer.Reset(o.timeout)
		return
	}
	w.before, o.last.after, o.last = o.last, w, w
}

// remove takes a write out and tells whether it was still there. Whoever gets true finishes it.
func (o *overdue) remove(w *write) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !w.listed {
		return false
	}
	o.unlink(w)
	return true
}

func (o *overdue) unlink(w *write) {
	if w.before == nil {
		o.first = w.after
	} else {
		w.before.after = w.after
	}
	if w.after == nil {
		o.last = w.before
	} else {
		w.after.before = w.before
	}
	w.before, w.after, w.listed = nil, nil, false
}

// expire finishes what is due, and waits for the next one.
func (o *overdue) expire() {
	for _, w := range o.due(time.Now()) {
		w.finish(errOverdue)
	}
	o.mu.Lock()
	none := o.none
	left := o.first != nil
	o.mu.Unlock()
	if none != nil && !left {
		none()
	}
}

// whenNone has f called, once or more, as soon as no write waits for an answer any more: now, or when the time of the last one is over.
// It is not called where Kafka answers the last one.
func (o *overdue) whenNone(f func()) {
	o.mu.Lock()
	o.none = f
	left := o.first != nil
	o.mu.Unlock()
	if !left {
		f()
	}
}

// due takes out what is due. The timer is set for the oldest of the rest; that it may be gone by then does no harm.
func (o *overdue) due(now time.Time) (all []*write) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for w := o.first; w != nil; w = o.first {
		if left := o.timeout - now.Sub(w.started); left > 0 {
			o.timer.Reset(left)
			break
		}
		o.unlink(w)
		all = append(all, w)
	}
	return all
}
