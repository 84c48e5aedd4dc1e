package auth

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
)

// seek gets a decision that is not in memory, or uses an old admission if that takes too long or does not succeed.
func (c *Cache) seek(ctx context.Context, key digest, old *entry, q question) decision {
	c.metrics.count(c.metrics.miss, 1)
	if isOnlyRemembered(ctx) {
		return c.seekRemembered(ctx, key, old, q)
	}
	answers := c.join(ctx, key, q)
	stale, stop := c.staleTimer(old)
	defer stop()
	select {
	case answer := <-answers:
		d, decided := answer.Val.(decision)
		if !decided {
			c.metrics.count(c.metrics.overload, 1)
			d.err = answer.Err
		}
		return c.orOld(d, old)
	case <-stale:
		return c.orOld(decision{err: undecidedInTime(context.DeadlineExceeded)}, old)
	case <-ctx.Done():
		return c.orOld(decision{err: undecidedInTime(ctx.Err())}, old)
	}
}

// staleTimer ends when an old admission is used instead of waiting on; without one, never.
func (c *Cache) staleTimer(old *entry) (<-chan time.Time, func() bool) {
	if old == nil || old.err != nil {
		return nil, func() bool { return false }
	}
	timer := time.NewTimer(c.config.StaleWait)
	return timer.C, timer.Stop
}

// orOld is a decision, or an old admission in place of none.
func (c *Cache) orOld(d decision, old *entry) decision {
	if o := outcome.Of(d.err); o != outcome.Unavailable && o != outcome.Overloaded && o != outcome.Internal {
		return d
	}
	if old == nil || old.err != nil || old.watch.isRevoked() || !time.Now().Before(old.hard) {
		return d
	}
	c.metrics.count(c.metrics.stale, 1)
	return old.decision
}

// seekRemembered is for a sender whose guesses are not looked at any more. It takes part in no other's lookup, so that a refusal
// that was made without a look at the credential reaches nobody else, and is not kept.
func (c *Cache) seekRemembered(ctx context.Context, key digest, old *entry, q question) decision {
	if old != nil && old.err == nil {
		return old.decision
	}
	d, _ := c.lookup(ctx, key, q, false)
	return d
}

// join takes part in the lookup for a key that is under way, or starts one. Its result is a decision, or the error of a bound.
func (c *Cache) join(ctx context.Context, key digest, q question) <-chan singleflight.Result {
	ctx = context.WithoutCancel(ctx)
	return c.shard(key).seeking.DoChan(string(key[:]), func() (any, error) {
		if !c.enter(q) {
			return nil, overloaded("too many log-ins at once")
		}
		defer c.leave(q)
		ctx, cancel := context.WithTimeout(ctx, c.config.LookupTimeout)
		defer cancel()
		d, decided := c.lookup(ctx, key, q, true)
		if !decided {
			c.postpone(key)
		}
		return d, nil
	})
}

// enter takes a place for a lookup, and one of its application's share, or tells that there is none.
func (c *Cache) enter(q question) bool {
	if q.share != "" && !c.shares.enter(q.share) {
		return false
	}
	select {
	case c.lookups <- struct{}{}:
		return true
	default:
		c.leaveShare(q)
		return false
	}
}

// leave gives back what enter took.
func (c *Cache) leave(q question) {
	<-c.lookups
	c.leaveShare(q)
}

func (c *Cache) leaveShare(q question) {
	if q.share != "" {
		c.shares.leave(q.share)
	}
}

// lookup asks, again if the registry changed meanwhile or if who was asked had not heard of a change yet, and keeps what
// was decided. A decision that was overtaken by a change each time is given to who asked, already revoked, and not kept.
func (c *Cache) lookup(ctx context.Context, key digest, q question, keepRefusal bool) (d decision, decided bool) {
	pauses := backoff.New(firstWait, longestWait)
	for try := 1; ; try++ {
		w := c.watches.open(q.names)
		d = q.ask(ctx)
		if d.err != nil && !d.refusal() {
			c.watches.drop(w)
			return d, false
		}
		d = c.watched(d, w, q)
		if c.watches.outdated(d) {
			w.revoke()
			pauses.Wait(ctx)
		}
		if w.isRevoked() && try < maxTries && ctx.Err() == nil {
			c.watches.drop(w)
			continue
		}
		if w.isRevoked() || (d.err != nil && !keepRefusal) {
			c.watches.drop(w)
			return d, true
		}
		c.keep(key, d, w)
		if q.holds != nil {
			q.holds(d)
		}
		return d, true
	}
}

// watched ties a decision to its watch. A refusal rests on what was presented, an admission on what was found.
func (c *Cache) watched(d decision, w *watch, q question) decision {
	if d.err != nil {
		return d
	}
	c.watches.settle(w, q.rests(d))
	if d.session != nil {
		s := *d.session
		s.Application = c.shared.share(s.Application)
		s.Revoked, s.watch = w.revoked, w
		d.session = &s
	}
	return d
}

// postpone spares an old admission further lookups for a while.
func (c *Cache) postpone(key digest) {
	shard := c.shard(key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if e, ok := shard.entries.Get(key); ok && e.err == nil {
		later := *e
		later.fresh = earlier(time.Now().Add(stalePause), e.hard)
		later.brief = time.Now().Add(unheardTTL)
		shard.entries.Add(key, &later)
	}
}
