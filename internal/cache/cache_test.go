package cache

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/fairlead/fairlead/internal/registry"
)

func TestCache(t *testing.T) {
	behaviours(t, func(t *testing.T) string { return "redis://" + miniredis.RunT(t).Addr() })
}

func TestRedisAway(t *testing.T) {
	server := miniredis.RunT(t)
	i := newInstallation(t, "redis://"+server.Addr())
	outage(t, i, server.Close, func() {
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	})
}

// outage has Redis go away and come back.
func outage(t *testing.T, i *installation, stop, start func()) {
	c, heard := i.watching()
	i.backend.set("app", "d", "u", 1, "")
	revision(t, c, "d", 1)
	stop()
	eventually(t, "the subscription to be lost", func() bool { return !c.Live() })

	dials := &counter{}
	c.remote.client.AddHook(dials)
	for range 100 {
		revision(t, c, "d", 1)
		revision(t, c, "none", 0)
	}
	if n := i.backend.count(); n < 200 {
		t.Errorf("%d reads of the store, want all 200", n)
	}
	// The look-ups fail three times at first and then once a second; the subscription tries on its own.
	if n := dials.trips.Load(); n > 100 {
		t.Errorf("%d attempts to reach Redis for 200 look-ups", n)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("Ready with the store alone: %v", err)
	}
	change := i.backend.set("app", "d", "u", 2, "")
	if err := c.Invalidate(t.Context(), change); err == nil {
		t.Error("Invalidate without Redis succeeded")
	}
	if n := heard.count(func(e Event) bool { return e.Change.Revision == 2 }); n != 1 {
		t.Errorf("this process heard of the change %d times, want once", n)
	}
	revision(t, c, "d", 2)
	i.backend.setAway(true)
	unavailable(t, c, "d")
	if err := c.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "redis") || !strings.Contains(err.Error(), "store") {
		t.Errorf("Ready with nobody: %v, want both named", err)
	}
	i.backend.setAway(false)

	start()
	eventually(t, "the subscription to be back", c.Live)
	if n := heard.count(everything); n < 2 {
		t.Errorf("everything may have changed, and it was said %d times", n)
	}
	if err := c.Invalidate(t.Context(), change); err != nil {
		t.Errorf("Invalidate again: %v", err)
	}
	eventually(t, "the store to be asked again", func() bool {
		d, err := c.Device(t.Context(), "app", "d")
		return err == nil && d.Metadata.Revision == 2
	})
	// The message of the invalidation may come back to this process only now.
	eventually(t, "what the process has to be used", func() bool {
		reads := i.backend.count()
		revision(t, c, "d", 2)
		return i.backend.count() == reads
	})
	i.backend.setAway(true)
	if h := c.Health(t.Context()); h.Redis != nil || !errors.Is(h.Store, errAway) {
		t.Errorf("Health = %+v", h)
	}
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("Ready with Redis alone: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		config := DefaultConfig()
		config.URL = "rediss://user:hey-rodney@localhost:6379/3"
		change(&config)
		err := config.Validate()
		if want == "" && err != nil {
			t.Errorf("Validate: %v", err)
		}
		if want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+": ") || strings.Contains(err.Error(), "rodney")) {
			t.Errorf("Validate: %v, want %s and no password", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.URL = "" }, "url")
	f(func(c *Config) { c.URL = "http://user:hey-rodney@localhost" }, "url")
	f(func(c *Config) { c.URL = "redis://user:hey-rodney@local host:x" }, "url")
	f(func(c *Config) { c.Instance = "" }, "instance")
	f(func(c *Config) { c.Instance = "a}b" }, "instance")
	f(func(c *Config) { c.Instance = strings.Repeat("x", 64) }, "instance")
	f(func(c *Config) { c.SoftTTL = 0 }, "softTTL")
	f(func(c *Config) { c.HardTTL = time.Minute }, "hardTTL")
	f(func(c *Config) { c.NegativeTTL = 0 }, "negativeTTL")
	f(func(c *Config) { c.LocalTTL = time.Hour }, "localTTL")
	f(func(c *Config) { c.LocalEntries = -1 }, "localEntries")
	f(func(c *Config) { c.LocalBytes = -1 }, "localBytes")
	f(func(c *Config) { c.Timeout = time.Second }, "timeout")
	f(func(c *Config) { c.BackendTimeout = 10 * time.Second }, "backendTimeout")
	f(func(c *Config) { c.MaxConnections = 0 }, "maxConnections")
}

func TestKeysDoNotMeet(t *testing.T) {
	keys := newKeyspace("i")
	seen := map[string]name{}
	f := func(kind registry.ChangeKind, application, alias string) {
		t.Helper()
		n := name{kind, application, alias}
		key := keys.entry(n)
		for _, k := range []string{key, keys.lease(key)} {
			if other, ok := seen[k]; ok {
				t.Errorf("%+v and %+v share the key %q", n, other, k)
			}
			if strings.Count(k, "{") != 1 || strings.Count(k, "}") != 1 || !strings.HasPrefix(k, "fairlead:{i}:") {
				t.Errorf("key %q is outside of the hash tag", k)
			}
			seen[k] = n
		}
	}
	f(registry.ApplicationChanged, "", "a")
	f(registry.ApplicationChanged, "", "a:b")
	f(registry.ApplicationChanged, "", "a%3Ab")
	f(registry.ApplicationChanged, "", "O=x, CN={y}")
	f(registry.DeviceChanged, "a", "b")
	f(registry.DeviceChanged, "a", "b:c")
	f(registry.DeviceChanged, "a:b", "c")
	f(registry.DeviceChanged, "a", "")
	f(registry.DeviceChanged, "", "a")
	f(registry.DeviceChanged, "a", "b c")
	f(registry.DeviceChanged, "a", "b+c")
	f(registry.DeviceChanged, "a", "b%20c")
	f(registry.DeviceChanged, "a", "b}{c")
}

func FuzzDecode(f *testing.F) {
	device := entry{device: &registry.Device{Metadata: registry.Metadata{Name: "d", Application: "app", UID: "u", Revision: 1}}}
	for _, e := range []entry{{}, device} {
		value, err := e.encode(time.Hour)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Add([]byte("1 9223372036854775807 u 1\n{}"))
	f.Add([]byte("1 1 u -1\n{}"))
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, kind := range []registry.ChangeKind{registry.ApplicationChanged, registry.DeviceChanged} {
			e, ttl, err := decode(value, kind)
			if err != nil {
				continue
			}
			if ttl <= 0 {
				t.Errorf("time to live %v", ttl)
			}
			if e.application != nil && kind != registry.ApplicationChanged || e.device != nil && kind != registry.DeviceChanged {
				t.Error("a document of the wrong kind")
			}
		}
	})
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker()
		failure := errors.New("no answer")
		f := func(with, want error) {
			t.Helper()
			if got := b.do(func() error { return with }); !errors.Is(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		for range breakerFailures {
			f(failure, failure)
		}
		f(nil, errPaused)
		time.Sleep(breakerPause + 1)
		_ = b.do(func() error { // one tries
			f(nil, errPaused)
			return failure
		})
		f(nil, errPaused)
		time.Sleep(breakerPause + 1)
		f(&abandonedError{failure}, failure) // says nothing
		f(nil, nil)
		f(failure, failure)
		f(nil, nil) // one failure is none
		for range 2 * breakerFailures {
			f(&abandonedError{failure}, failure)
		}
		f(nil, nil)
	})
}

func TestLocal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(time.Minute, 100, 1<<20)
		n := name{registry.DeviceChanged, "app", "d"}
		e := entry{device: &registry.Device{}, size: 10}
		f := func(what string, want bool) {
			t.Helper()
			if got, ok := l.get(n); ok != want || ok && got.device != e.device {
				t.Errorf("%s: kept %t, want %t", what, ok, want)
			}
		}
		put := func() { l.put(n, e, l.epoch(n), time.Hour) }
		put()
		f("before it is live", false)
		l.up()
		f("what was put before", false)
		put()
		f("put", true)
		time.Sleep(time.Minute)
		f("after its time to live", false)
		l.put(n, e, l.epoch(n), time.Second)
		time.Sleep(time.Second)
		f("after the shorter time to live", false)
		epoch := l.epoch(n)
		l.forget(n)
		l.put(n, e, epoch, time.Hour)
		f("a fill that began before it was forgotten", false)
		put()
		l.forget(n)
		f("forgotten", false)
		put()
		epoch = l.epoch(n)
		l.down()
		f("not live", false)
		l.up()
		f("live again", false)
		l.put(n, e, epoch, time.Hour)
		f("a fill that began before the outage", false)
	})
}

func TestLocalIsBounded(t *testing.T) {
	const most, bytes = 320, 32 << 10
	f := func(size int) (entries, total int) {
		l := newLocal(time.Minute, most, bytes)
		l.up()
		for i := range 10 * most {
			n := name{registry.DeviceChanged, "app", strings.Repeat("x", i%50+1) + string(rune('a'+i%26))}
			l.put(n, entry{size: size}, l.epoch(n), time.Hour)
			l.get(n)
		}
		for i := range l.shards {
			entries += l.shards[i].entries.Len()
			for _, k := range l.shards[i].entries.Values() {
				total += k.size
			}
		}
		return entries, total
	}
	for _, size := range []int{0, 100, 1000, 10_000} {
		if entries, total := f(size); entries > most || total > bytes {
			t.Errorf("size %d: %d entries with %d bytes", size, entries, total)
		}
	}
	none := newLocal(time.Minute, 0, bytes)
	none.up()
	n := name{registry.DeviceChanged, "app", "d"}
	none.put(n, entry{}, none.epoch(n), time.Hour)
	if _, ok := none.get(n); ok {
		t.Error("a layer of no entries keeps one")
	}
}
