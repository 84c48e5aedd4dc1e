package auth

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// setApplication replaces an application and tells a cache of that.
func setApplication(t *testing.T, d *documents, c *Cache, name, spec string) {
	t.Helper()
	a := application(t, name, spec)
	d.mu.Lock()
	d.applications[name] = a
	d.mu.Unlock()
	c.Invalidate(registry.Change{Kind: registry.ApplicationChanged, Application: name, UID: a.Metadata.UID, Aliases: []string{name}})
}

const disabled = `{"core":{"disabled":true}}`

func renewalOf(device string) Request {
	return Request{Application: "app1", Device: device, Credential: Vouched{}, Renewal: true}
}

// When an application admits nobody, one question is enough for all renewals, and log-ins are looked at as ever.
func TestRenewalsOfAClosedApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newBelow(t)
		cache := NewCache(DefaultCacheConfig(), next)
		f := func(r Request, want outcome.Outcome, calls int64) {
			t.Helper()
			_, err := cache.Authenticate(t.Context(), r)
			expect(t, r.Device, err, want)
			next.expectCalls(t, r.Device, calls)
		}
		f(renewalOf("device1"), outcome.Accepted, 1)
		setApplication(t, next.documents, cache, "app1", disabled)
		f(renewalOf("device1"), outcome.Unauthenticated, 2)
		f(renewalOf("device2"), outcome.Unauthenticated, 2)
		f(Request{Application: "app1", Device: "device3", Credential: Vouched{}}, outcome.Unauthenticated, 3)
		f(Request{Application: "off", Device: "device2", Credential: Vouched{}, Renewal: true}, outcome.Unauthenticated, 4)

		setApplication(t, next.documents, cache, "app1", "")
		f(renewalOf("device2"), outcome.Accepted, 5)

		setApplication(t, next.documents, cache, "app1", disabled)
		f(renewalOf("device1"), outcome.Unauthenticated, 6)
		time.Sleep(DefaultCacheConfig().NegativeTTL)
		f(renewalOf("device3"), outcome.Unauthenticated, 7)

		cache.HearsWhile(func() bool { return false })
		f(renewalOf("device2"), outcome.Unauthenticated, 7)
		time.Sleep(unheardTTL)
		f(renewalOf("device2"), outcome.Unauthenticated, 8)
		cache.InvalidateAll()
		f(renewalOf("device2"), outcome.Unauthenticated, 9)
	})
}

// What is refused for another reason says nothing of other devices.
func TestRenewalsOfAnOpenApplication(t *testing.T) {
	next := newBelow(t)
	cache := NewCache(DefaultCacheConfig(), next)
	for _, name := range []string{"disabled", "nobody"} {
		_, err := cache.Authenticate(t.Context(), renewalOf(name))
		expect(t, name, err, outcome.Unauthenticated)
	}
	_, err := cache.Authenticate(t.Context(), renewalOf("device1"))
	expect(t, "device1", err, outcome.Accepted)
}

// A change while the question is under way leaves nothing behind.
func TestApplicationOpensWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newBelow(t)
		cache := NewCache(DefaultCacheConfig(), next)
		setApplication(t, next.documents, cache, "app1", disabled)
		hold := make(chan struct{})
		next.set(nil, hold)
		done := make(chan error)
		go func() {
			_, err := cache.Authenticate(t.Context(), renewalOf("device1"))
			done <- err
		}()
		synctest.Wait()
		setApplication(t, next.documents, cache, "app1", "")
		close(hold)
		expect(t, "device1", <-done, outcome.Accepted)
		_, err := cache.Authenticate(t.Context(), renewalOf("device2"))
		expect(t, "device2", err, outcome.Accepted)
	})
}

func TestManyClosedApplications(t *testing.T) {
	watches := newWatches()
	c := newClosedApplications(watches)
	for i := range 2 * maxClosed {
		r := renewalOf("d")
		r.Application = "a" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		state := c.of(r)
		state.note(decision{err: refusedFor(errNoApplication)}, time.Minute)
		if state.refusal(true) == nil || c.of(r) != state {
			t.Fatalf("%s is not known", r.Application)
		}
	}
	if watched := watches.len(); watched != maxClosed {
		t.Errorf("%d names are watched, want %d", watched, maxClosed)
	}
	if c.of(Request{Application: "CN=x", Renewal: true}) != nil || c.of(Request{Application: "a"}) != nil {
		t.Error("a request has a state that depends on more than an application, or is no renewal")
	}
}

func TestClosedOnTheWire(t *testing.T) {
	f := func(err error, closed bool) {
		t.Helper()
		text, problem := json.Marshal(Renewed(nil, err))
		if problem != nil {
			t.Fatal(problem)
		}
		var answer WireRenewal
		if problem := json.Unmarshal(text, &answer); problem != nil {
			t.Fatal(problem)
		}
		_, decided := answer.decision()
		expect(t, string(text), decided, outcome.Of(err))
		if answer.Closed != closed || refusesApplication(decided) != closed {
			t.Errorf("%s: closed is %v", text, answer.Closed)
		}
	}
	f(refusedFor(errApplicationDisabled), true)
	f(refusedFor(errNoApplication), true)
	f(refusedFor(errDeviceDisabled), false)
	f(refused(), false)
	f(outcome.Wrap(outcome.Unavailable, "", errors.New("application disabled")), false)
}
