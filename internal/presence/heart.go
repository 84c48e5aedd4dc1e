package presence

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// A heart is what this process knows of its own signs of life.
type heart struct {
	life    time.Duration
	started time.Time
	last    atomic.Int64  // when the last heartbeat that arrived was sent, in nanoseconds since the start; 0 for never
	waiting atomic.Int64  // devices with waiting events, as of then
	hears   atomic.Bool   // there is a subscription to what others say
	failing atomic.Bool   // the last heartbeat did not arrive
	now     chan struct{} // asks for a heartbeat at once
}

func newHeart(life time.Duration) *heart {
	return &heart{life: life, started: time.Now(), now: make(chan struct{}, 1)}
}

func (h *heart) arrived(sent time.Time) { h.last.Store(max(1, int64(sent.Sub(h.started)))) }

// since is the time since the last heartbeat that arrived was sent, at most.
func (h *heart) since() time.Duration { return time.Since(h.started) - time.Duration(h.last.Load()) }

// beats tells whether heartbeats arrive.
func (h *heart) beats() bool { return h.last.Load() > 0 && h.since() < h.life }

// hopeful tells whether asking Redis is worth a try: heartbeats arrive, or the first one is still due.
func (h *heart) hopeful() bool { return h.since() < h.life }

// sure tells whether nobody can have declared this process dead for the time being, with a quarter of its life to spare.
func (h *heart) sure() bool { return h.last.Load() > 0 && h.since() < h.life-h.life/4 }

// recovery is for how many heartbeats nobody claims after Redis has lost its data.
const recovery = 3

// beat gives signs of life until ctx ends, and watches those of the others.
func (t *Tracker) beat(ctx context.Context) {
	ticker := time.NewTicker(t.config.Heartbeat)
	defer ticker.Stop()
	w := &witness{life: t.config.Life}
	known := false
	for number := uint64(1); ; number++ {
		sent := time.Now()
		p, err := t.beatOnce(ctx, number, known)
		switch {
		case err != nil:
			t.heart.failing.Store(true)
			t.metrics.failure(failedHeartbeat)
		case p.standing == buried:
			t.rename()
			known = false
			continue
		default:
			known = true
			t.heart.failing.Store(false)
			t.heart.arrived(sent)
			t.buryAll(ctx, w.overdue(sent, time.Now(), p.living, t.process()))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-t.heart.now:
		}
	}
}

func (t *Tracker) beatOnce(ctx context.Context, number uint64, known bool) (pulse, error) {
	ctx, cancel := context.WithTimeout(ctx, t.config.Life/2)
	defer cancel()
	p, err := t.ledger.beat(ctx, t.process(), number, known, recovery*t.config.Heartbeat)
	if err != nil {
		return p, err
	}
	t.heart.waiting.Store(int64(p.waiting))
	if p.standing == forgotten {
		t.metrics.failure(failedMemory)
		t.log.Warn("redis has lost its data: sessions are registered again")
		poke(t.checks)
	}
	return p, nil
}

// rename begins another life after this process was declared dead. Which sessions it still has, verify finds out.
func (t *Tracker) rename() {
	t.mu.Lock()
	t.life++
	t.mu.Unlock()
	t.log.Warn("this process was declared dead: it was away from redis for too long")
	t.metrics.failure(failedLife)
	poke(t.checks)
}

// buryAll declares processes dead.
func (t *Tracker) buryAll(ctx context.Context, dead map[string]string) {
	for process, beat := range dead {
		done, err := t.ledger.bury(ctx, process, beat)
		if err != nil {
			t.metrics.failure(failedHeartbeat)
			return
		}
		if done {
			t.log.Warn("a process is dead: its devices are disconnected", zap.String("process", process))
			t.metrics.bury()
			poke(t.graves)
		}
	}
}

// A witness watches the heartbeats of others. It needs no clock but its own: a process is overdue if its heartbeat has not
// changed for the length of a life during which the witness could have seen it.
type witness struct {
	life time.Duration
	last time.Time // of looking
	seen map[string]sighting
}

// A sighting is a heartbeat and when it was first seen.
type sighting struct {
	beat string
	at   time.Time
}

// overdue takes what was read between two times, and gives the processes that are overdue, with their last heartbeats. If
// the witness itself was away for long, because it was paused or Redis was, it begins anew: the others had the same
// trouble.
func (w *witness) overdue(asked, read time.Time, living map[string]string, self string) map[string]string {
	away := asked.Sub(w.last) > w.life/2
	w.last = read
	dead, seen := map[string]string{}, make(map[string]sighting, len(living))
	for process, beat := range living {
		s, ok := w.seen[process]
		switch {
		case process == self:
			continue
		case !ok || away || s.beat != beat:
			s = sighting{beat, read}
		case asked.Sub(s.at) >= w.life:
			dead[process] = beat
		}
		seen[process] = s
	}
	w.seen = seen
	return dead
}
