package presence

import (
	"context"
	"time"
)

const (
	sweepPause = 250 * time.Millisecond // between two looks for what is due
	pickPause  = 5 * time.Second        // after which what somebody picked is due again
)

// sweep stores events that nobody else stores: of processes that died, or that could not be stored when they were queued.
func (t *Tracker) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepPause)
	defer ticker.Stop()
	for {
		more := t.sweepOnce(ctx)
		var freed <-chan struct{}
		if more {
			freed = t.drainer.freed
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-freed:
		}
	}
}

// sweepOnce takes what there is room for, and tells whether there may be more.
func (t *Tracker) sweepOnce(ctx context.Context) (more bool) {
	room := t.drainer.room()
	if room == 0 || !t.heart.beats() {
		return true
	}
	due, err := t.ledger.pickWaiting(ctx, room, pickPause)
	if err != nil {
		t.metrics.failure(failedRedis)
		return false
	}
	for _, member := range due {
		t.drainer.add(member, true)
	}
	return len(due) == room
}

// clean releases what dead processes held, with the wills. Each device is released once, however many processes do it.
func (t *Tracker) clean(ctx context.Context) {
	ticker := time.NewTicker(t.config.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-t.graves:
		}
		if !t.heart.beats() {
			continue
		}
		if process, err := t.ledger.pickGrave(ctx, pickPause); err != nil {
			t.metrics.failure(failedRedis)
		} else if process != "" && t.empty(ctx, process) == nil {
			poke(t.graves) // there may be another
		}
	}
}

// empty releases everything that a dead process held.
func (t *Tracker) empty(ctx context.Context, process string) error {
	for {
		err := t.ledger.each(ctx, process, func(ctx context.Context, pairs []string) error {
			return t.releaseDead(ctx, process, pairs)
		})
		if err != nil {
			t.metrics.failure(failedRedis)
			return err
		}
		left, err := t.ledger.claims(ctx, process)
		if err != nil {
			return err
		}
		if left == 0 {
			return t.ledger.closeGrave(ctx, process)
		}
	}
}

// releaseDead releases some of the devices of a dead process.
func (t *Tracker) releaseDead(ctx context.Context, process string, pairs []string) error {
	now := time.Now()
	sessions := make([]ending, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		sessions = append(sessions, ending{epoch: pairs[i], member: pairs[i+1], time: now, fire: true})
	}
	changes, err := t.ledger.end(ctx, process, true, sessions)
	if err != nil {
		return err
	}
	released := 0
	for _, c := range changes {
		t.metrics.end(c)
		if c.verdict == ended {
			released++
		}
	}
	t.metrics.release(released)
	poke(t.drainer.freed)
	return nil
}
