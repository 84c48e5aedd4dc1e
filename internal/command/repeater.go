package command

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
)

const (
	answerFor     = 30 * time.Second // how long an answer is sent again that nobody hears; nobody waits for longer than a minute
	maxRepeats    = 1000             // answers that are sent again; beyond, those that come are dropped
	maxRepeated   = 8 << 20          // bytes of them
	firstRepeat   = 50 * time.Millisecond
	longestRepeat = time.Second
)

// A repeater sends answers of devices again that nobody has heard: Redis was away, or who waits has not come back to it yet. Who waits
// takes an answer once, so that one may be sent too often. It is bounded apart from other replies, which must not wait for those that
// nobody will ever hear. It does nothing while there are none.
type repeater struct {
	publish func([]report) (unheard []report)
	dropped func(n int)
	ctx     context.Context // ends with the repeater
	end     context.CancelFunc

	mu        sync.Mutex
	waiting   []report
	bytes     int // of messages in it
	repeating bool
	running   sync.WaitGroup
}

func newRepeater(publish func([]report) (unheard []report), dropped func(n int)) *repeater {
	r := &repeater{publish: publish, dropped: dropped}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r
}

// put has a report sent again, or drops it.
func (r *repeater) put(one report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == maxRepeats || r.bytes+len(one.message) > maxRepeated || r.ctx.Err() != nil || time.Now().After(one.until) {
		r.dropped(1)
		return
	}
	r.bytes += len(one.message)
	r.waiting = append(r.waiting, one)
	if !r.repeating {
		r.repeating = true
		r.running.Go(r.repeat)
	}
}

// close returns after one more attempt with what waits.
func (r *repeater) close() {
	r.mu.Lock()
	r.end()
	r.mu.Unlock()
	r.running.Wait()
}

func (r *repeater) repeat() {
	pauses := backoff.New(firstRepeat, longestRepeat)
	for r.more() {
		pauses.Wait(r.ctx)
		for batch := range slices.Chunk(r.take(), reportBatch) {
			for _, one := range r.publish(batch) {
				r.put(one)
			}
		}
	}
}

// more tells whether anything waits, and ends repeating if not.
func (r *repeater) more() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.repeating = len(r.waiting) > 0
	return r.repeating
}

// take takes everything that waits.
func (r *repeater) take() []report {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.waiting
	r.waiting, r.bytes = nil, 0
	return all
}
