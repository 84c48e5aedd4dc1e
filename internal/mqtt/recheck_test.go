package mqtt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
)

// grant is an admission that a test revokes.
type grant struct {
	until time.Time

	mu    sync.Mutex
	added int
	calls map[int]func()
}

func (g *grant) Until() time.Time { return g.until }

func (g *grant) OnRevoked(call func()) (stop func() bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls == nil {
		g.calls = map[int]func(){}
	}
	g.added++
	id := g.added
	g.calls[id] = call
	return func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		_, held := g.calls[id]
		delete(g.calls, id)
		return held
	}
}

func (g *grant) revoke() {
	g.mu.Lock()
	calls := g.calls
	g.calls = nil
	g.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// watchers is how many hear of the revocation.
func (g *grant) watchers() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.calls)
}

// renewals answer what is asked of them, and record it.
type renewals struct {
	takes time.Duration
	grant *grant // for who is admitted again

	mu    sync.Mutex
	err   error
	asked int
	ended []RecheckResult
}

func (r *renewals) Renew(context.Context) (Admission, error) {
	time.Sleep(r.takes) // in the bubble
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.err != nil {
		return nil, r.err
	}
	return r.grant, nil
}

func (r *renewals) End(why RecheckResult, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, why)
}

// decide has the next answers be an error, or nil.
func (r *renewals) decide(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *renewals) ends() []RecheckResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ended)
}

func (r *renewals) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// rechecking runs a rechecker in a bubble, with one session that rests on first.
func rechecking(t *testing.T, first *grant, test func(t *testing.T, r *Rechecker, c *Recheck, asked *renewals)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config := DefaultRecheckConfig()
		config.RenewalSpread = 0
		r := NewRechecker(config)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		asked := &renewals{grant: &grant{}}
		c := r.Add(asked)
		c.Admit(first)
		test(t, r, c, asked)
		c.Close()
		if r.Len() != 0 || first.watchers() != 0 || asked.grant.watchers() != 0 {
			t.Errorf("after the end %d sessions are queued, %d and %d hear of revocations", r.Len(), first.watchers(), asked.grant.watchers())
		}
		stop()
		<-done
	})
}

func TestRecheckDecides(t *testing.T) {
	f := func(err error, want ...RecheckResult) {
		t.Helper()
		first := &grant{}
		rechecking(t, first, func(t *testing.T, _ *Rechecker, _ *Recheck, asked *renewals) {
			asked.decide(err)
			first.revoke()
			synctest.Wait()
			if got := asked.ends(); asked.times() != 1 || !slices.Equal(got, want) {
				t.Errorf("%v: asked %d times, ended %v, want %v", err, asked.times(), got, want)
			}
			if again := asked.grant.watchers() == 1; again != (want == nil) {
				t.Errorf("%v: the new admission is watched: %v", err, again)
			}
		})
	}
	f(nil)
	f(ErrReplaced, RecheckReplaced)
	f(outcome.New(outcome.Unauthenticated, ""), RecheckRefused)
	f(outcome.New(outcome.Forbidden, ""), RecheckRefused)
}

// A new admission is watched as the first one was.
func TestRecheckGoesOn(t *testing.T) {
	first := &grant{}
	rechecking(t, first, func(t *testing.T, _ *Rechecker, _ *Recheck, asked *renewals) {
		first.revoke()
		synctest.Wait()
		for range 3 {
			asked.grant.revoke()
			synctest.Wait()
		}
		if asked.times() != 4 || asked.ends() != nil {
			t.Errorf("asked %d times, ended %v", asked.times(), asked.ends())
		}
	})
}

func TestRecheckThatNobodyDecides(t *testing.T) {
	f := func(away time.Duration, want ...RecheckResult) {
		t.Helper()
		first := &grant{}
		rechecking(t, first, func(t *testing.T, _ *Rechecker, _ *Recheck, asked *renewals) {
			asked.decide(errors.New("nobody is there"))
			first.revoke()
			time.Sleep(away)
			if n, most := asked.times(), int(away/time.Second)+5; n < 2 || n > most {
				t.Errorf("asked %d times within %v", n, away)
			}
			asked.decide(nil)
			time.Sleep(2 * longestPause)
			if got := asked.ends(); !slices.Equal(got, want) {
				t.Errorf("away for %v: ended %v, want %v", away, got, want)
			}
		})
	}
	f(30 * time.Second)
	f(2*time.Minute, RecheckGivenUp)
}

func TestAdmissionThatEnds(t *testing.T) {
	synctestStart := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of every bubble
	first := &grant{until: synctestStart.Add(time.Hour)}
	rechecking(t, first, func(t *testing.T, _ *Rechecker, _ *Recheck, asked *renewals) {
		asked.grant.until = first.until
		first.revoke() // does not make it forget the end
		time.Sleep(59 * time.Minute)
		if got := asked.ends(); got != nil {
			t.Errorf("ended before its time: %v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := asked.ends(); !slices.Equal(got, []RecheckResult{RecheckExpired}) {
			t.Errorf("ended %v", got)
		}
	})
}

// A session that closes while its log-in is judged again holds nothing afterwards.
func TestCloseDuringRecheck(t *testing.T) {
	first := &grant{}
	rechecking(t, first, func(t *testing.T, _ *Rechecker, c *Recheck, asked *renewals) {
		asked.takes = time.Second
		first.revoke()
		synctest.Wait()
		c.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if asked.times() != 1 || asked.ends() != nil {
			t.Errorf("asked %d times, ended %v", asked.times(), asked.ends())
		}
	})
}

// Rechecks that one change causes are spread.
func TestRechecksAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRechecker(RecheckConfig{Renewals: 1000, RenewalSpread: time.Second, RenewalTimeout: time.Minute})
		ctx, stop := context.WithCancel(t.Context())
		go r.Run(ctx)
		shared, asked := &grant{}, &renewals{grant: &grant{}}
		for range 1000 {
			r.Add(asked).Admit(shared)
		}
		shared.revoke()
		time.Sleep(500 * time.Millisecond)
		if half := asked.times(); half < 300 || half > 700 {
			t.Errorf("%d of 1000 are asked after half the time", half)
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if asked.times() != 1000 || r.Len() != 0 {
			t.Errorf("%d are asked, %d wait", asked.times(), r.Len())
		}
		stop()
		synctest.Wait()
	})
}

func TestRecheckReasons(t *testing.T) {
	f := func(r RecheckResult, want packet.Reason) {
		t.Helper()
		if got := r.Reason(); got != want {
			t.Errorf("%s: %v, want %v", r, got, want)
		}
	}
	f(RecheckRefused, packet.AdministrativeAction)
	f(RecheckExpired, packet.AdministrativeAction)
	f(RecheckGivenUp, packet.ServerUnavailable)
}

func TestRecheckConfigNamesTheBadField(t *testing.T) {
	f := func(want string, change func(*RecheckConfig)) {
		t.Helper()
		c := DefaultRecheckConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want+": ") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("renewals", func(c *RecheckConfig) { c.Renewals = 0 })
	f("renewalSpread", func(c *RecheckConfig) { c.RenewalSpread = -1 })
	f("renewalTimeout", func(c *RecheckConfig) { c.RenewalTimeout = time.Millisecond })
	if c := DefaultRecheckConfig(); c.Validate() != nil {
		t.Error(c.Validate())
	}
}
