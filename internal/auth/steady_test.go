package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// stack is what a process has: the outermost layer, the cache and the service with its counted hashes.
func stack(t *testing.T, takes time.Duration) (steady *Steady, next *below, hashes *atomic.Int64) {
	t.Helper()
	next = newBelow(t)
	next.passwords, hashes, _ = hashesOf(t, DefaultServiceConfig(), takes)
	compare := next.passwords.compare
	next.passwords.compare = func(stored registry.Password, presented string) (bool, error) {
		if _, err := compare(stored, presented); err != nil {
			return false, err
		}
		return compareHash(stored, presented)
	}
	return NewSteady(DefaultSteadyConfig(), NewCache(DefaultCacheConfig(), next)), next, hashes
}

func timed(a Authenticator, r Request) (took time.Duration, o outcome.Outcome) {
	started := time.Now()
	_, err := a.Authenticate(context.Background(), r)
	return time.Since(started), outcome.Of(err)
}

func TestRefusalsTakeTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, _, _ := stack(t, 91*time.Millisecond)
		f := func(what string, r Request, want time.Duration, outcomes outcome.Outcome) {
			t.Helper()
			for range 2 { // the second time from the cache
				if took, o := timed(steady, r); took != want || o != outcomes {
					t.Errorf("%s: %v after %v, want %v after %v", what, o, took, outcomes, want)
				}
			}
		}
		quantum := DefaultSteadyConfig().Quantum
		as := login("gateway", "lora")
		as.As = "closed"
		f("malformed", Request{}, quantum, outcome.Unauthenticated)
		f("unknown application", Request{Application: "nobody", Device: "x", Credential: Password("x")}, quantum, outcome.Unauthenticated)
		f("disabled application", Request{Application: "off", Device: "device1", Credential: Password("foo")}, quantum, outcome.Unauthenticated)
		f("unknown device", login("nobody", "x"), quantum, outcome.Unauthenticated)
		f("disabled device", login("disabled", "foo"), quantum, outcome.Unauthenticated)
		f("wrong plain password", login("plain", "x"), quantum, outcome.Unauthenticated)
		f("wrong bcrypt password", login("bcrypt", "x"), quantum, outcome.Unauthenticated)
		f("wrong sha512 password", login("sha512", "x"), quantum, outcome.Unauthenticated)
		f("gateway without permission", as, quantum, outcome.Unauthenticated)
		f("the right password", login("plain", "foo"), 0, outcome.Accepted)
	})
}

func TestRefusalsKeepPaceWithTheSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, _, _ := stack(t, 600*time.Millisecond)
		f := func(what string, r Request, want time.Duration) {
			t.Helper()
			if took, _ := timed(steady, r); took != want {
				t.Errorf("%s took %v, want %v", what, took, want)
			}
		}
		quantum := DefaultSteadyConfig().Quantum
		f("before", login("nobody", "x"), quantum)
		f("a hash that takes long", login("bcrypt", "x"), 3*quantum)
		f("after it", login("nobody", "x"), 3*quantum)
		time.Sleep(2 * paceMemory)
		f("later", login("nobody", "x"), quantum)
	})
}

func TestGuessingIsSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultSteadyConfig()
		steady, _, hashes := stack(t, 10*time.Millisecond)
		own := login("bcrypt", "bar")
		own.Remote = "192.0.2.1"
		if _, o := timed(steady, own); o != outcome.Accepted {
			t.Fatal(o)
		}
		guess := func(i int, device, remote string) time.Duration {
			t.Helper()
			r := login(device, fmt.Sprint("guess-", i))
			r.Remote = remote
			took, o := timed(steady, r)
			if o != outcome.Unauthenticated {
				t.Errorf("guess %d at %s: %v", i, device, o)
			}
			return took
		}
		for _, name := range []string{"plain", "nobody"} { // whether or not it exists
			var times []time.Duration
			var mu sync.Mutex
			var guessing sync.WaitGroup
			for i := range 8 {
				guessing.Go(func() {
					took := guess(i, name, "192.0.2.1")
					mu.Lock()
					defer mu.Unlock()
					times = append(times, took/c.Quantum)
				})
			}
			guessing.Wait()
			slices.Sort(times)
			if want := []time.Duration{1, 1, 1, 2, 4, 8, 16, 20}; !slices.Equal(times, want) {
				t.Errorf("guesses at %s took %d quanta, want %d", name, times, want)
			}
		}
		if took := guess(100, "bcrypt", "192.0.2.2"); took != c.Quantum {
			t.Errorf("from another address: %v", took)
		}

		// All at once, beyond what a minute allows: no more hashes for them.
		time.Sleep(time.Minute)
		before := hashes.Load()
		var guessing sync.WaitGroup
		for i := range c.Failures {
			guessing.Go(func() { guess(1000+i, "bcrypt", "192.0.2.1") })
		}
		guessing.Wait()
		for i := range c.Failures {
			guessing.Go(func() { guess(2000+i, "bcrypt", "192.0.2.1") })
		}
		synctest.Wait()
		made := hashes.Load() - before
		if made > int64(c.Failures)+5 {
			t.Errorf("%d hashes for %d guesses", made, 2*c.Failures)
		}
		// The device itself is admitted from the same address, cached or not, and from others.
		for range 2 {
			if took, o := timed(steady, own); o != outcome.Accepted || took != 0 {
				t.Errorf("the device itself: %v after %v", o, took)
			}
			steady.next.(*Cache).InvalidateAll()
		}
		session, err := steady.Authenticate(t.Context(), own)
		if err != nil || session.Revoked == nil {
			t.Errorf("a session that nobody watches: %v", err)
		}
		elsewhere := login("bcrypt", "bar")
		elsewhere.Remote = "192.0.2.3"
		if _, o := timed(steady, elsewhere); o != outcome.Accepted {
			t.Errorf("the device elsewhere: %v", o)
		}
		guessing.Wait()

		// With time, guesses are looked at again.
		time.Sleep(time.Minute)
		before = hashes.Load()
		guess(3000, "bcrypt", "192.0.2.1")
		if hashes.Load() != before+1 {
			t.Error("a later guess was not looked at")
		}
	})
}

func TestGuessesDoNotPoisonTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, _, _ := stack(t, 0)
		var guessing sync.WaitGroup
		for i := range 2 * DefaultSteadyConfig().Failures {
			r := login("bcrypt", fmt.Sprint(i))
			r.Remote = "192.0.2.1"
			guessing.Go(func() { timed(steady, r) })
		}
		synctest.Wait()
		right := login("bcrypt", "bar")
		right.Remote = "192.0.2.1" // not verified before, so not admitted now
		if _, o := timed(steady, right); o != outcome.Unauthenticated {
			t.Errorf("an exhausted address: %v", o)
		}
		right.Remote = "192.0.2.2"
		if took, o := timed(steady, right); o != outcome.Accepted || took != 0 {
			t.Errorf("the device from its own address: %v after %v", o, took)
		}
		guessing.Wait()
	})
}

func TestUnknownSendersAreNeverExhausted(t *testing.T) {
	g := newFailureCounter(DefaultSteadyConfig())
	f := func(want bool, remote string) {
		t.Helper()
		r := Request{Application: "a", Device: "d", Remote: remote}
		for range 100 {
			g.fail(r)
		}
		if got := g.exhausted(r); got != want {
			t.Errorf("%q: %v", remote, got)
		}
	}
	f(false, "")
	f(false, "127.0.0.1")
	f(false, "::1")
	f(false, "::ffff:127.0.0.1")
	f(true, "192.0.2.1")
	f(true, "::ffff:192.0.2.2")
	f(true, "2001:db8::1")
	f(true, "a name")
	if !g.exhausted(Request{Application: "a", Device: "d", Remote: "2001:db8::2"}) || g.exhausted(Request{Application: "a", Device: "d", Remote: "2001:db8:0:1::2"}) {
		t.Error("an IPv6 sender is not its /64")
	}
	if g.exhausted(Request{Application: "a", Device: "e", Remote: "192.0.2.1"}) || g.exhausted(Request{Application: "b", Device: "d", Remote: "192.0.2.1"}) {
		t.Error("another device is exhausted too")
	}
}

func TestGuardIsBounded(t *testing.T) {
	c := DefaultSteadyConfig()
	c.Guarded = 64
	g := newFailureCounter(c)
	for i := range 10_000 {
		g.fail(Request{Device: fmt.Sprint(i)})
	}
	entries := 0
	for i := range g.shards {
		entries += g.shards[i].buckets.Len()
	}
	if entries > c.Guarded {
		t.Errorf("%d entries", entries)
	}
}

func TestPermissionIsNoGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, _, _ := stack(t, 0)
		for range 2 * DefaultSteadyConfig().Failures {
			r := login("gateway", "lora")
			r.As, r.Remote = "closed", "192.0.2.1"
			if took, o := timed(steady, r); took != DefaultSteadyConfig().Quantum || o != outcome.Unauthenticated {
				t.Fatalf("%v after %v", o, took)
			}
		}
	})
}

func TestWaitingRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, _, _ := stack(t, 0)
		steady.waiting = make(chan struct{}, 10)
		var crowded, refused atomic.Int64
		var waiting sync.WaitGroup
		for i := range 25 {
			waiting.Go(func() {
				switch took, o := timed(steady, login(fmt.Sprint("nobody-", i), "x")); {
				case o == outcome.Overloaded && took == 0:
					crowded.Add(1)
				case o == outcome.Unauthenticated && took == DefaultSteadyConfig().Quantum:
					refused.Add(1)
				}
			})
		}
		waiting.Wait()
		if crowded.Load() != 15 || refused.Load() != 10 {
			t.Errorf("%d turned away at once, %d refused", crowded.Load(), refused.Load())
		}
	})
}

func TestRefusalEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, _, _ := stack(t, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		started := time.Now()
		_, err := steady.Authenticate(ctx, login("nobody", "x"))
		expect(t, "cut short", err, outcome.Unauthenticated)
		if took := time.Since(started); took != 100*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestSteadyPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, next, _ := stack(t, 0)
		session, err := steady.Authenticate(t.Context(), login("gateway", "lora"))
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		_, err = steady.AuthorizeAs(t.Context(), session, "sensor")
		expect(t, "as", err, outcome.Accepted)
		_, err = steady.AuthorizeAs(t.Context(), session, "closed")
		expect(t, "as, forbidden", err, outcome.Forbidden)
		key, err := steady.PreSharedKey(t.Context(), "app1", "device5")
		expect(t, "key", err, outcome.Accepted)
		_, err = steady.PreSharedKey(t.Context(), "app1", "device1")
		expect(t, "no key", err, outcome.Unauthenticated)
		next.set(outcome.New(outcome.Unavailable, ""), nil)
		_, err = steady.Authenticate(t.Context(), login("plain", "foo"))
		expect(t, "no decision", err, outcome.Unavailable)
		if took := time.Since(started); took != 0 || len(key.Secret) != 3 {
			t.Errorf("took %v", took)
		}
	})
}

func TestRenewalsAreNeitherHeldNorCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, _, _ := stack(t, 0)
		r := login("plain", "changed")
		r.Remote, r.Renewal = "192.0.2.1", true
		for range 2 * DefaultSteadyConfig().Failures {
			started := time.Now()
			_, err := steady.Authenticate(t.Context(), r)
			if o, took := outcome.Of(err), time.Since(started); o != outcome.Unauthenticated || took != 0 {
				t.Fatalf("%v after %v", o, took)
			}
		}
		r.Credential, r.Renewal = Password("foo"), false
		if took, o := timed(steady, r); took != 0 || o != outcome.Accepted {
			t.Errorf("after many refused renewals the right password: %v after %v", o, took)
		}
	})
}

// A refusal that needs longer than one quantum sets the pace of its own application's refusals, for a while.
func TestPaceIsThatOfOneApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := DefaultSteadyConfig()
		quantum := config.Quantum
		steady, _, _ := stack(t, 2*quantum+quantum/2)
		f := func(what, application, device string, want time.Duration) {
			t.Helper()
			if took, o := timed(steady, Request{Application: application, Device: device, Credential: Password("x " + what)}); took != want || o != outcome.Unauthenticated {
				t.Errorf("%s: %v after %v, want %v", what, o, took, want)
			}
		}
		f("before", "app1", "nobody", quantum)
		f("a slow hash", "app1", "bcrypt", 3*quantum)
		f("after it", "app1", "nobody", 3*quantum)
		f("another application", "elsewhere", "nobody", quantum)
		time.Sleep(paceMemory)
		f("after a while", "app1", "nobody", quantum)
	})
}

// Who guesses at one application takes no more than a share of the places in which refusals wait.
func TestWaitingRefusalsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, _, _ := stack(t, 0)
		steady.waiting, steady.shares = make(chan struct{}, 10), newShares(6)
		var crowded, refused atomic.Int64
		var waiting sync.WaitGroup
		for i := range 20 {
			waiting.Go(func() {
				if _, o := timed(steady, login(fmt.Sprint("nobody-", i), "x")); o == outcome.Overloaded {
					crowded.Add(1)
				} else {
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		if took, o := timed(steady, Request{Application: "elsewhere", Device: "d", Credential: Password("x")}); took != DefaultSteadyConfig().Quantum || o != outcome.Unauthenticated {
			t.Errorf("of another application: %v after %v", o, took)
		}
		waiting.Wait()
		if crowded.Load() != 14 || refused.Load() != 6 {
			t.Errorf("%d turned away at once, %d refused", crowded.Load(), refused.Load())
		}
	})
}
