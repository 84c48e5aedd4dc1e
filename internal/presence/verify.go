package presence

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
)

// shares is into how many parts sessions are divided, of which one is compared with Redis each time.
const shares = 64

// verify compares the sessions of this process with Redis every now and then, and at once when something may have been
// missed: for sessions that were lost without news, that Redis has lost, or of which only Redis knows. Usually both come to the
// same tally, and sessions are looked at one by one only in turn, against what no script has done.
func (t *Tracker) verify(ctx context.Context) {
	ticker := time.NewTicker(t.config.Verify)
	defer ticker.Stop()
	for round := 0; ; round++ {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-t.checks:
			all = true
		}
		if err := t.verifyOnce(ctx, round%shares, all); err != nil && ctx.Err() == nil {
			t.metrics.failure(failedRedis)
			if !backoff.Wait(ctx, t.config.Heartbeat) {
				return
			}
			poke(t.checks)
		}
	}
}

// verifyOnce acts under one name all the time. If this process is declared dead meanwhile, all it does under that name comes
// to nothing.
func (t *Tracker) verifyOnce(ctx context.Context, share int, all bool) error {
	process, life := t.identity()
	var err error
	if all {
		err = t.compareAll(ctx, process, life)
	} else {
		err = t.compareShare(ctx, process, life, share)
	}
	if err != nil {
		return err
	}
	for before, sessions := range t.earlier(life) {
		if err := t.resume(ctx, process, life, processName(t.node, before), sessions); err != nil {
			return err
		}
	}
	return t.clearStrays(ctx, process)
}

// compareShare compares one share of the sessions, and those whose connection event is not known to be stored, or all of them if
// Redis does not come to the same tally.
func (t *Tracker) compareShare(ctx context.Context, process string, life uint32, share int) error {
	sessions, sum := t.current(life, func(l *Lease) bool { return !l.stored || int(l.epoch[0])%shares == share })
	tally, err := t.ledger.tally(ctx, process)
	if err != nil {
		return err
	}
	if tally != sum {
		return t.compareAll(ctx, process, life)
	}
	_, err = t.compareEach(ctx, process, life, sessions)
	return err
}

// compareAll compares every session. If all hold their devices and Redis still comes to another tally, that is put right.
func (t *Tracker) compareAll(ctx context.Context, process string, life uint32) error {
	before, err := t.ledger.tally(ctx, process)
	if err != nil {
		return err
	}
	sessions, sum := t.current(life, func(*Lease) bool { return true })
	hold, err := t.compareEach(ctx, process, life, sessions)
	if err != nil || !hold || before == sum {
		return err
	}
	return t.ledger.mend(ctx, process, len(sessions), before, sum)
}

// current lists those of the sessions that are held under the present life that are wanted, and adds up all of them.
func (t *Tracker) current(life uint32, wanted func(*Lease) bool) (list []*Lease, sum int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.leases {
		if l.state == gone || !l.written || l.life != life {
			continue
		}
		sum += l.epoch.weight()
		if wanted(l) {
			list = append(list, l)
		}
	}
	return list, sum
}

// earlier lists the sessions that are held under earlier lives.
func (t *Tracker) earlier(now uint32) map[uint32][]*Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := map[uint32][]*Lease{}
	if now == 0 {
		return list
	}
	for _, l := range t.leases {
		if l.state != gone && l.written && l.life != now {
			list[l.life] = append(list[l.life], l)
		}
	}
	return list
}

// compareEach compares sessions one by one, and tells whether all of them hold their devices.
func (t *Tracker) compareEach(ctx context.Context, process string, life uint32, sessions []*Lease) (hold bool, err error) {
	hold = true
	for batch := range slices.Chunk(sessions, checkBatch) {
		these, err := t.compare(ctx, process, life, batch)
		if err != nil {
			return false, err
		}
		hold = hold && these
	}
	return hold, nil
}

// compare asks who holds the devices of sessions. Nobody does only if Redis has lost some of its data, since whoever ends a
// session of a living process is that process itself. hold tells whether all of them are still held.
func (t *Tracker) compare(ctx context.Context, process string, life uint32, sessions []*Lease) (hold bool, err error) {
	verdicts, err := t.ledger.check(ctx, process, sessions)
	if err != nil {
		return false, err
	}
	hold = true
	var absentees []*Lease
	for i, l := range sessions {
		hold = hold && verdicts[i] == held
		switch verdicts[i] {
		case lost:
			t.lose(l)
		case absent:
			absentees = append(absentees, l)
		case held:
			t.retryConnectionEvent(l)
		}
	}
	return hold, t.resume(ctx, process, life, process, absentees)
}

// retryConnectionEvent looks after the connection event of a session unless it is known to be stored: the news may have been missed.
func (t *Tracker) retryConnectionEvent(l *Lease) {
	t.mu.Lock()
	stored := l.stored
	t.mu.Unlock()
	if !stored {
		t.drainer.add(l.member(), true)
	}
}

// resume registers sessions under a name of this process, or loses them: those that stood there under an earlier name, or,
// where that is the same, those that Redis has lost.
func (t *Tracker) resume(ctx context.Context, process string, life uint32, earlier string, sessions []*Lease) error {
	for batch := range slices.Chunk(sessions, sessionBatch) {
		batch, resumptions := t.resumptions(batch)
		changes, err := t.ledger.resume(ctx, process, earlier, resumptions)
		if err != nil {
			return err
		}
		for i, l := range batch {
			t.metrics.resume(changes[i])
			switch changes[i].verdict {
			case lost:
				t.lose(l)
			case held:
				t.resumed(l, life, changes[i])
			case unknown:
				poke(t.checks)
			}
		}
	}
	return nil
}

// resumptions describes those of the sessions that are still held: one that was released just now is not there, and that is
// right.
func (t *Tracker) resumptions(sessions []*Lease) (still []*Lease, list []resumption) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range sessions {
		if l.state == gone {
			continue
		}
		still = append(still, l)
		list = append(list, resumption{
			member: l.member(), epoch: l.epoch.String(), since: l.since(), origin: l.origin(), will: l.will, again: !l.stored,
		})
	}
	return still, list
}

func (t *Tracker) resumed(l *Lease, life uint32, c change) {
	t.mu.Lock()
	l.life = life
	t.mu.Unlock()
	if c.queued > 0 {
		t.drainer.kick(l.member())
	}
}

// clearStrays ends sessions that stand in Redis as this process's own and that it does not have: a claim that was written
// although its answer was lost, or an end that Redis has lost. Usually the numbers agree and nothing is read.
func (t *Tracker) clearStrays(ctx context.Context, process string) error {
	t.mu.Lock()
	known := len(t.leases)
	t.mu.Unlock()
	claims, err := t.ledger.claims(ctx, process)
	if err != nil || claims == int64(known) {
		return err
	}
	return t.ledger.each(ctx, process, func(ctx context.Context, pairs []string) error {
		return t.clearSome(ctx, process, pairs)
	})
}

func (t *Tracker) clearSome(ctx context.Context, process string, pairs []string) error {
	var strays []ending
	for i := 0; i+1 < len(pairs); i += 2 {
		e, err := parseEpoch(pairs[i])
		if err == nil && t.find(e) != nil {
			continue
		}
		strays = append(strays, ending{epoch: pairs[i], member: pairs[i+1], time: time.Now()})
	}
	if len(strays) == 0 {
		return nil
	}
	changes, err := t.ledger.end(ctx, process, false, strays)
	if err != nil {
		return err
	}
	for i, c := range changes {
		t.metrics.end(c)
		if c.queued > 0 {
			t.drainer.kick(strays[i].member)
		}
	}
	return nil
}
