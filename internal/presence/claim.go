package presence

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
)

// claimPause is how long a claim waits before it tries again, while this process is being registered.
const claimPause = 20 * time.Millisecond

var (
	errClosing     = outcome.New(outcome.Unavailable, "this gateway shuts down")
	errRedisAway   = errors.New("no heartbeat has reached redis for too long")
	errUnknownLong = errors.New("this process is not registered in redis, or sessions are being registered again")
)

// Claim makes a session the holder of its device: the device that proved itself, whatever name it used. A session that held
// it, here or in another process, is ended first, with its will, and told so. Claim returns when the connection event is
// stored, or after Config.ClaimWait, with the event on its way.
//
// The will, which may be nil, is copied. lost is called once, from any goroutine and perhaps before the caller has seen the
// lease, when another session takes the device over or the lease is given up; it must not block. It is not called after an
// error or after Lease.Release.
//
// Errors carry an outcome: outcome.Unavailable while Redis is away or when the device was taken over before Claim could
// return, outcome.Overloaded at a bound, outcome.Invalid or outcome.TooLarge for a will that could never be published.
func (t *Tracker) Claim(ctx context.Context, s *auth.Session, will *Will, lost func()) (*Lease, error) {
	l, err := t.claim(ctx, s, will, lost)
	t.metrics.claim(err)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (t *Tracker) claim(ctx context.Context, s *auth.Session, will *Will, lost func()) (*Lease, error) {
	l, err := t.newLease(s, will, lost)
	if err != nil {
		return nil, err
	}
	stored, err := t.admit(l)
	if err != nil {
		return nil, err
	}
	defer t.claims.Done()
	waiting, cancel := context.WithTimeout(ctx, t.config.ClaimWait)
	defer cancel()
	if err := t.write(ctx, waiting, l); err != nil {
		return nil, err
	}
	select {
	case <-stored:
	case <-waiting.Done():
	}
	return l, t.hand(ctx, l)
}

// admit takes a lease into what is held, if the bounds allow it.
func (t *Tracker) admit(l *Lease) (ready <-chan struct{}, err error) {
	if !t.heart.hopeful() {
		return nil, outcome.Wrap(outcome.Unavailable, "sessions cannot be kept at the moment", errRedisAway)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closing {
		return nil, errClosing
	}
	if l.will != "" && t.willBytes+len(l.will) > t.config.WillBytes {
		return nil, outcome.New(outcome.Overloaded, "too many wills")
	}
	t.claims.Add(1)
	t.willBytes += len(l.will)
	t.sessions++
	t.leases[l.epoch] = l
	return l.ready, nil
}

// write makes the lease the holder in Redis. While this process is not registered it waits for that, within another context.
func (t *Tracker) write(ctx, waiting context.Context, l *Lease) error {
	for {
		c, err := t.ledger.claim(ctx, t.begin(l), l)
		if err != nil {
			t.metrics.failure(failedRedis)
			t.abandon(l)
			return outcome.Wrap(outcome.Unavailable, "sessions cannot be kept at the moment", err)
		}
		switch c.verdict {
		case held:
			t.took(l, c)
			return nil
		case crowded:
			t.drop(l)
			return outcome.New(outcome.Overloaded, "too many events wait to be stored")
		case unknown:
			poke(t.heart.now)
		}
		if !backoff.Wait(waiting, claimPause) {
			t.drop(l)
			return outcome.Wrap(outcome.Unavailable, "sessions cannot be kept at the moment", errUnknownLong)
		}
	}
}

// begin notes when and under which name the lease is claimed.
func (t *Tracker) begin(l *Lease) (process string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.life, l.begun = t.life, time.Now().UnixMicro()
	return processName(t.node, t.life)
}

// took does what follows from a claim that is written. A session of this process that held the device before is told here,
// those of others are told by Redis.
func (t *Tracker) took(l *Lease, c claimed) {
	t.metrics.took(c)
	t.mu.Lock()
	l.written = true
	t.mu.Unlock()
	if e, err := parseEpoch(c.epoch); err == nil {
		if old := t.find(e); old != nil {
			t.lose(old)
		}
	}
	t.drainer.kick(l.member())
}

// hand gives the lease to the caller of Claim, unless it was lost or the caller has gone.
func (t *Tracker) hand(ctx context.Context, l *Lease) error {
	t.mu.Lock()
	if l.state == gone {
		t.mu.Unlock()
		return outcome.New(outcome.Unavailable, "the device has connected anew")
	}
	if err := context.Cause(ctx); err != nil {
		t.mu.Unlock()
		t.abandon(l)
		return outcome.Wrap(outcome.Unavailable, "storing the connection took too long", err)
	}
	l.state, l.ready = holding, nil
	t.mu.Unlock()
	return nil
}

// abandon takes back a claim of which nobody knows whether it is written. The device was not admitted, so its will is not
// published.
func (t *Tracker) abandon(l *Lease) {
	t.mu.Lock()
	if l.state == gone {
		t.mu.Unlock()
		return
	}
	t.retire(l)
	t.mu.Unlock()
	t.endings.add(l)
}

// drop forgets a lease whose claim was not written.
func (t *Tracker) drop(l *Lease) {
	t.mu.Lock()
	was := l.state
	if was != gone {
		t.retire(l)
	}
	t.mu.Unlock()
	if was != gone {
		t.forget(l)
	}
}
