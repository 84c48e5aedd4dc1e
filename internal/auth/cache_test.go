package auth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// below is the layer under test's next one: a service with counted calls that can be held up and can fail.
type below struct {
	*Service
	documents *documents
	calls     atomic.Int64
	mu        sync.Mutex
	err       error
	hold      chan struct{} // nil: answer at once
}

func newBelow(t testing.TB) *below {
	d := newDocuments(acceptance(t)...)
	return &below{Service: NewService(DefaultServiceConfig(), d, nil), documents: d}
}

func (b *below) set(err error, hold chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err, b.hold = err, hold
}

// meet counts a call and waits as long as it must, at most until ctx ends.
func (b *below) meet(ctx context.Context) error {
	b.calls.Add(1)
	b.mu.Lock()
	err, hold := b.err, b.hold
	b.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

// Authenticate reads the registry before it waits, like a slow reader.
func (b *below) Authenticate(ctx context.Context, r Request) (*Session, error) {
	session, err := b.Service.Authenticate(ctx, r)
	if failure := b.meet(ctx); failure != nil {
		return nil, failure
	}
	return session, err
}

func (b *below) AuthorizeAs(ctx context.Context, s *Session, name string) (*registry.Device, error) {
	device, err := b.Service.AuthorizeAs(ctx, s, name)
	if failure := b.meet(ctx); failure != nil {
		return nil, failure
	}
	return device, err
}

func (b *below) expectCalls(t *testing.T, what string, want int64) {
	t.Helper()
	if got := b.calls.Load(); got != want {
		t.Errorf("%s: %d calls, want %d", what, got, want)
	}
}

func login(device, password string) Request {
	return Request{Application: "app1", Device: device, Credential: Password(password)}
}

func revoked(s *Session) bool {
	select {
	case <-s.Revoked:
		return true
	default:
		return false
	}
}

func TestCacheRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newBelow(t)
		cache := NewCache(DefaultCacheConfig(), next)
		f := func(want outcome.Outcome, calls int64, r Request) *Session {
			t.Helper()
			session, err := cache.Authenticate(t.Context(), r)
			expect(t, fmt.Sprintf("%+v", r), err, want)
			next.expectCalls(t, fmt.Sprintf("%+v", r), calls)
			return session
		}
		first := f(outcome.Accepted, 1, login("device1", "foo"))
		if again := f(outcome.Accepted, 1, login("device1", "foo")); again != first || revoked(first) {
			t.Error("not the same session")
		}
		elsewhere := login("device1", "foo")
		elsewhere.Remote = "192.0.2.1"
		f(outcome.Accepted, 1, elsewhere)
		f(outcome.Unauthenticated, 2, login("device1", "bar"))
		f(outcome.Unauthenticated, 2, login("device1", "bar"))
		f(outcome.Accepted, 3, Request{Application: "app1", Device: "device1", Credential: UserPassword{"device1", "foo"}})
		f(outcome.Accepted, 4, Request{Application: "app1", Device: "device1", Credential: Vouched{}})
		f(outcome.Unauthenticated, 5, Request{Application: "app1", Device: "device1"})
		f(outcome.Unauthenticated, 6, Request{Application: "app1d", Device: "evice1", Credential: Password("foo")})
		f(outcome.Unauthenticated, 7, Request{Application: "app1", Device: "device1", As: "f", Credential: Password("oo")})

		time.Sleep(DefaultCacheConfig().NegativeTTL)
		f(outcome.Accepted, 7, login("device1", "foo"))
		f(outcome.Unauthenticated, 8, login("device1", "bar"))
		time.Sleep(DefaultCacheConfig().TTL)
		f(outcome.Accepted, 9, login("device1", "foo"))
		if revoked(first) {
			t.Error("the session ended with the time to live of the decision")
		}
	})
}

// While changes are not heard of, a decision lasts for a second, and longer only if nobody can be asked.
func TestCacheThatHearsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newBelow(t)
		cache := NewCache(DefaultCacheConfig(), next)
		hears := false
		cache.HearsWhile(func() bool { return hears })
		f := func(want outcome.Outcome, calls int64) {
			t.Helper()
			_, err := cache.Authenticate(t.Context(), login("device1", "foo"))
			expect(t, "a log-in", err, want)
			next.expectCalls(t, "a log-in", calls)
		}
		f(outcome.Accepted, 1)
		f(outcome.Accepted, 1)
		time.Sleep(unheardTTL)
		f(outcome.Accepted, 2)
		hears = true
		time.Sleep(2 * unheardTTL)
		f(outcome.Accepted, 2)
		hears = false
		next.set(outcome.New(outcome.Unavailable, ""), nil)
		f(outcome.Accepted, 3)
	})
}

func TestCacheRevokes(t *testing.T) {
	next := newBelow(t)
	cache := NewCache(DefaultCacheConfig(), next)
	get := func(r Request) *Session {
		t.Helper()
		session, err := cache.Authenticate(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	change := func(name string, aliases ...string) registry.Change {
		return registry.Change{Kind: registry.DeviceChanged, Application: "app1", Device: name, Aliases: append(aliases, name)}
	}
	own, by := login("gateway", "lora"), login("front", "lora")
	by.As = "s"
	f := func(what string, c registry.Change, wantOwn, wantBy bool) {
		t.Helper()
		a, b := get(own), get(by)
		if revoked(a) || revoked(b) {
			t.Fatalf("%s: revoked before", what)
		}
		cache.Invalidate(c)
		if revoked(a) != wantOwn || revoked(b) != wantBy {
			t.Errorf("%s: revoked %v, %v, want %v, %v", what, revoked(a), revoked(b), wantOwn, wantBy)
		}
		calls := next.calls.Load()
		if again := get(own); (again == a) == wantOwn {
			t.Errorf("%s: the decision was used all the same", what)
		}
		if again := get(by); (again == b) == wantBy {
			t.Errorf("%s: the decision for another was used all the same", what)
		}
		want := calls
		for _, asked := range []bool{wantOwn, wantBy} {
			if asked {
				want++
			}
		}
		next.expectCalls(t, what, want)
	}
	f("the gateway", change("gateway", "front"), true, true)
	f("the target", change("sensor", "s"), false, true)
	f("another device", change("device1"), false, false)
	f("a device of that name elsewhere", registry.Change{Kind: registry.DeviceChanged, Application: "app2", Device: "gateway", Aliases: []string{"gateway", "front"}}, false, false)
	f("the application", registry.Change{Kind: registry.ApplicationChanged, Application: "app1", Aliases: []string{"app1"}}, true, true)
	f("another application", registry.Change{Kind: registry.ApplicationChanged, Application: "app2", Aliases: []string{"app2"}}, false, false)

	a, b := get(own), get(by)
	cache.InvalidateAll()
	if !revoked(a) || !revoked(b) || get(own) == a {
		t.Error("not everything was taken back")
	}
}

func TestCacheForgetsRefusals(t *testing.T) {
	next := newBelow(t)
	cache := NewCache(DefaultCacheConfig(), next)
	refuse := func(r Request) {
		t.Helper()
		_, err := cache.Authenticate(t.Context(), r)
		expect(t, "before", err, outcome.Unauthenticated)
	}
	admit := func(r Request) {
		t.Helper()
		_, err := cache.Authenticate(t.Context(), r)
		expect(t, "after", err, outcome.Accepted)
	}
	refuse(login("new", "pw"))
	change := next.documents.put(device(t, "app1", "new", `{"authentication":{"credentials":[{"pass":"pw"}]}}`))
	refuse(login("new", "pw"))
	cache.Invalidate(change)
	admit(login("new", "pw"))

	as := login("gateway", "lora")
	as.As = "closed"
	refuse(as)
	change = next.documents.put(device(t, "app1", "closed", `{"gatewaySelector":{"matchNames":["gateway"]}}`))
	cache.Invalidate(change)
	admit(as)

	there := Request{Application: "app9", Device: "d", Credential: Password("pw")}
	refuse(there)
	next.documents.mu.Lock()
	next.documents.applications["app9"] = application(t, "app9", "")
	next.documents.mu.Unlock()
	next.documents.put(device(t, "app9", "d", `{"authentication":{"credentials":[{"pass":"pw"}]}}`))
	cache.Invalidate(registry.Change{Kind: registry.ApplicationChanged, Application: "app9", Aliases: []string{"app9"}})
	admit(there)
}

func TestCacheAuthorizeAs(t *testing.T) {
	next := newBelow(t)
	cache := NewCache(DefaultCacheConfig(), next)
	session, err := cache.Authenticate(t.Context(), login("gateway", "lora"))
	if err != nil {
		t.Fatal(err)
	}
	f := func(want outcome.Outcome, calls int64, name string) {
		t.Helper()
		_, err := cache.AuthorizeAs(t.Context(), session, name)
		expect(t, name, err, want)
		next.expectCalls(t, name, calls)
	}
	f(outcome.Accepted, 1, "gateway")
	f(outcome.Accepted, 2, "sensor")
	f(outcome.Accepted, 2, "sensor")
	f(outcome.Accepted, 3, "s")
	f(outcome.Forbidden, 4, "closed")
	f(outcome.Forbidden, 4, "closed")
	cache.Invalidate(next.documents.put(device(t, "app1", "sensor", "")))
	f(outcome.Forbidden, 5, "sensor")
	f(outcome.Forbidden, 6, "s")
	cache.Invalidate(next.documents.put(device(t, "app1", "closed", `{"gatewaySelector":{"matchNames":["gateway"]}}`)))
	f(outcome.Accepted, 7, "closed")
	cache.Invalidate(next.documents.put(device(t, "app1", "gateway", `{"core":{"disabled":true}}`)))
	f(outcome.Forbidden, 8, "closed")
}

func TestCacheSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newBelow(t)
		cache := NewCache(DefaultCacheConfig(), next)
		hold := make(chan struct{})
		next.set(nil, hold)
		var waiting sync.WaitGroup
		impatient, giveUp := context.WithCancel(t.Context())
		waiting.Go(func() {
			_, err := cache.Authenticate(impatient, login("device1", "foo"))
			expect(t, "who gave up", err, outcome.Unavailable)
		})
		synctest.Wait()
		for range 20 {
			waiting.Go(func() {
				_, err := cache.Authenticate(t.Context(), login("device1", "foo"))
				expect(t, "who stayed", err, outcome.Accepted)
			})
		}
		synctest.Wait()
		giveUp()
		synctest.Wait()
		close(hold)
		waiting.Wait()
		next.expectCalls(t, "equal requests at the same time", 1)
	})
}

func TestCacheVoidsLookupsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newBelow(t)
		cache := NewCache(DefaultCacheConfig(), next)
		hold := make(chan struct{})
		next.set(nil, hold)
		var waiting sync.WaitGroup
		waiting.Go(func() {
			_, err := cache.Authenticate(t.Context(), login("device1", "foo"))
			expect(t, "the answer of before the change", err, outcome.Unauthenticated)
		})
		synctest.Wait() // the old document has been read
		cache.Invalidate(next.documents.put(device(t, "app1", "device1", `{"authentication":{"credentials":[{"pass":"changed"}]}}`)))
		close(hold)
		waiting.Wait()
		next.expectCalls(t, "asked again", 2)

		// Changes without end: the answer comes, revoked, and is not kept.
		b := &restless{below: next, cache: cache, change: registry.Change{Kind: registry.DeviceChanged, Application: "app1", Device: "plain", Aliases: []string{"plain"}}}
		cache.next = b
		session, err := cache.Authenticate(t.Context(), login("plain", "foo"))
		if err != nil || !revoked(session) {
			t.Errorf("%v, %v", session, err)
		}
		next.expectCalls(t, "bounded", 2+maxTries)
		_, _ = cache.Authenticate(t.Context(), login("plain", "foo"))
		next.expectCalls(t, "not kept", 2+2*maxTries)
	})
}

// restless has a document change during every lookup.
type restless struct {
	*below
	cache  *Cache
	change registry.Change
}

func (r *restless) Authenticate(ctx context.Context, request Request) (*Session, error) {
	session, err := r.below.Authenticate(ctx, request)
	r.cache.Invalidate(r.change)
	return session, err
}

func TestCacheWithoutNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultCacheConfig()
		next := newBelow(t)
		cache := NewCache(c, next)
		session, err := cache.Authenticate(t.Context(), login("device1", "foo"))
		if err != nil {
			t.Fatal(err)
		}
		f := func(what string, want outcome.Outcome, r Request, takes time.Duration) {
			t.Helper()
			started := time.Now()
			_, err := cache.Authenticate(t.Context(), r)
			expect(t, what, err, want)
			if took := time.Since(started); took != takes {
				t.Errorf("%s took %v, want %v", what, took, takes)
			}
		}
		next.set(outcome.New(outcome.Unavailable, ""), nil)
		f("fresh", outcome.Accepted, login("device1", "foo"), 0)
		f("never seen", outcome.Unavailable, login("plain", "foo"), 0)
		time.Sleep(c.TTL)
		f("stale", outcome.Accepted, login("device1", "foo"), 0)
		calls := next.calls.Load()
		f("stale, just tried", outcome.Accepted, login("device1", "foo"), 0)
		next.expectCalls(t, "spared", calls)

		next.set(nil, make(chan struct{})) // silent instead of refusing
		time.Sleep(stalePause)
		f("stale, no answer", outcome.Accepted, login("device1", "foo"), c.StaleWait)
		time.Sleep(c.HardTTL)
		f("beyond the hard limit", outcome.Unavailable, login("device1", "foo"), c.LookupTimeout)

		next.set(nil, nil)
		f("again there", outcome.Accepted, login("device1", "foo"), 0)
		if revoked(session) {
			t.Error("the old session was revoked though nothing changed")
		}
		cache.Invalidate(registry.Change{Kind: registry.DeviceChanged, Application: "app1", Device: "device1"})
		next.set(errors.New("x"), nil)
		f("taken back", outcome.Internal, login("device1", "foo"), 0)
	})
}

func TestCacheFindsChangesThatWereNotPushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := newBelow(t)
		cache := NewCache(DefaultCacheConfig(), next)
		get := func() (*Session, error) { return cache.Authenticate(t.Context(), login("device1", "foo")) }
		first, _ := get()
		changed := device(t, "app1", "device1", `{"authentication":{"credentials":[{"pass":"foo"}]}}`)
		changed.Metadata.ResourceVersion = "2"
		next.documents.put(changed)
		time.Sleep(DefaultCacheConfig().TTL)
		second, err := get()
		if err != nil || !revoked(first) || revoked(second) {
			t.Errorf("another version: %v", err)
		}
		next.documents.put(device(t, "app1", "device1", `{"core":{"disabled":true}}`))
		time.Sleep(DefaultCacheConfig().TTL)
		if _, err := get(); outcome.Of(err) != outcome.Unauthenticated || !revoked(second) {
			t.Errorf("disabled: %v", err)
		}
	})
}

func TestCacheEndsWithTheCertificate(t *testing.T) {
	ca := newIssuer(t, nil, "Application 1", nil)
	c := DefaultCacheConfig()
	cache := NewCache(c, newTestService(t, trusting(t, "a", ca), device(t, "a", "O=Drogue IoT, OU=Cloud, CN=d", "")))
	end := time.Now().Add(20 * time.Second).Truncate(time.Second)
	request, err := FromCertificates([][]byte{ca.leaf("d", func(c *x509.Certificate) { c.NotAfter = end })})
	if err != nil {
		t.Fatal(err)
	}
	session, err := cache.Authenticate(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if fresh, hard := cache.times(cache.key(request), decision{session: session}); fresh.After(end) || hard.After(end) {
		t.Errorf("used until %v or %v, the certificate until %v", fresh, hard, end)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := DefaultCacheConfig()
	c.Entries = 2 * cacheShards
	next := newBelow(t)
	cache := NewCache(c, next)
	for i := range 50 * cacheShards {
		_, _ = cache.Authenticate(t.Context(), login(fmt.Sprint("nobody-", i), "x"))
	}
	if got := cache.len(); got > int64(c.Entries) {
		t.Errorf("%d entries", got)
	}
	if got := cache.watches.len(); got > 2*c.Entries {
		t.Errorf("%d names are watched for %d entries", got, c.Entries)
	}
}

func TestCacheBoundsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultCacheConfig()
		c.Lookups = 2
		next := newBelow(t)
		cache := NewCache(c, next)
		hold := make(chan struct{})
		next.set(nil, hold)
		var waiting sync.WaitGroup
		for _, name := range []string{"device1", "plain"} {
			waiting.Go(func() {
				_, err := cache.Authenticate(t.Context(), login(name, "foo"))
				expect(t, name, err, outcome.Accepted)
			})
		}
		synctest.Wait()
		_, err := cache.Authenticate(t.Context(), login("old", "foo"))
		expect(t, "a third", err, outcome.Overloaded)
		close(hold)
		waiting.Wait()
		_, err = cache.Authenticate(t.Context(), login("old", "foo"))
		expect(t, "afterwards", err, outcome.Accepted)
	})
}

func TestWatchesOutliveEntries(t *testing.T) {
	c := DefaultCacheConfig()
	c.Entries = cacheShards
	cache := NewCache(c, newBelow(t))
	session, err := cache.Authenticate(t.Context(), login("device1", "foo"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 * cacheShards { // displaces the entry
		_, _ = cache.Authenticate(t.Context(), login(fmt.Sprint("nobody-", i), "x"))
	}
	runtime.GC()
	cache.Invalidate(registry.Change{Kind: registry.DeviceChanged, Application: "app1", Device: "device1"})
	if !revoked(session) {
		t.Error("a session that outlived its entry was not revoked")
	}
	runtime.KeepAlive(session)
}

func TestWatchesOfForgottenSessionsGo(t *testing.T) {
	index := newWatches()
	func() {
		for i := range 100 {
			w := index.open([]watchName{{presentedDevice, "", "x"}})
			index.settle(w, []watchName{{registeredDevice, "a", fmt.Sprint(i)}, {registeredApplication, "a", ""}})
		}
	}()
	for deadline := time.Now().Add(time.Minute); index.len() > 0; runtime.Gosched() {
		runtime.GC()
		if time.Now().After(deadline) {
			t.Fatalf("%d names are still watched", index.len())
		}
	}
}

func TestOnRevoked(t *testing.T) {
	b := newBelow(t)
	c := NewCache(DefaultCacheConfig(), b)
	session, err := c.Authenticate(t.Context(), login("device1", "foo"))
	if err != nil {
		t.Fatal(err)
	}
	var called, stopped int
	session.OnRevoked(func() { called++ })
	stop := session.OnRevoked(func() { stopped++ })
	if !stop() || stop() {
		t.Error("a function can be taken back once")
	}
	c.Invalidate(registry.Change{Kind: registry.DeviceChanged, Application: session.Application.Metadata.Name, Device: session.Device.Metadata.Name})
	late := session.OnRevoked(func() { called += 10 })
	if called != 11 || stopped != 0 || late() {
		t.Errorf("called %d, want 11; called what was taken back %d times", called, stopped)
	}
	runtime.KeepAlive(session)
}

func TestOnRevokedOfASessionThatNobodyWatches(t *testing.T) {
	if !(&Session{}).OnRevoked(func() { t.Error("called") })() {
		t.Error("not taken back")
	}
}

// TestCacheAsksAgainWhoHadNotHeard has a change reach the cache before it reaches the layer below, as another process hears
// of it a moment later.
func TestCacheAsksAgainWhoHadNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &lateLayer{session: &Session{
			Application: &registry.Application{Metadata: registry.Metadata{Name: "app1", UID: "a", Revision: 1}},
			Device:      &registry.Device{Metadata: registry.Metadata{Name: "device1", UID: "d", Revision: 1}},
		}}
		c := NewCache(DefaultCacheConfig(), late)
		if _, err := c.Authenticate(t.Context(), login("device1", "foo")); err != nil {
			t.Fatal(err)
		}
		c.Invalidate(registry.Change{Kind: registry.DeviceChanged, Application: "app1", Device: "device1", UID: "d", Revision: 2})
		time.AfterFunc(15*time.Millisecond, func() { late.hears.Store(true) })
		if _, err := c.Authenticate(t.Context(), login("device1", "foo")); outcome.Of(err) != outcome.Unauthenticated {
			t.Errorf("admitted on what was taken back: %v", err)
		}
	})
}

// TestCacheDoesNotKeepWhatIsOutdated has the layer below never hear of a change.
func TestCacheDoesNotKeepWhatIsOutdated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deaf := &lateLayer{session: &Session{
			Application: &registry.Application{Metadata: registry.Metadata{Name: "app1", UID: "a", Revision: 1}},
			Device:      &registry.Device{Metadata: registry.Metadata{Name: "device1", UID: "d", Revision: 1}},
		}}
		c := NewCache(DefaultCacheConfig(), deaf)
		c.Invalidate(registry.Change{Kind: registry.DeviceChanged, Application: "app1", Device: "device1", UID: "d", Deleted: true})
		session, err := c.Authenticate(t.Context(), login("device1", "foo"))
		if err != nil {
			t.Fatal(err)
		}
		if !revoked(session) {
			t.Error("the session is not revoked")
		}
		asked := deaf.calls.Load()
		if _, err := c.Authenticate(t.Context(), login("device1", "foo")); err != nil || deaf.calls.Load() == asked {
			t.Errorf("the decision was kept: %v", err)
		}
	})
}

// A lateLayer admits until it hears of a change.
type lateLayer struct {
	Authenticator
	session *Session
	hears   atomic.Bool
	calls   atomic.Int64
}

func (l *lateLayer) Authenticate(context.Context, Request) (*Session, error) {
	l.calls.Add(1)
	if l.hears.Load() {
		return nil, refused()
	}
	return l.session, nil
}

// len is the number of names that are watched.
func (w *watches) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.byName)
}
