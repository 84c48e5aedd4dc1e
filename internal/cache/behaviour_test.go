package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/registry"
)

// behaviours are what must hold on every Redis. The function makes the URL of an empty one.
func behaviours(t *testing.T, url func(*testing.T) string) {
	tests := []struct {
		name string
		run  func(*testing.T, *installation)
	}{
		{"a document is read once for all processes", testShared},
		{"a missing document is read once for all processes", testNegative},
		{"a hit is one round trip", testRoundTrips},
		{"a slow reader does not write after a change", testSlowReader},
		{"a slow renewal does not write after a change", testSlowRenewal},
		{"a revision is never lowered", testRevisions},
		{"a document that was made again starts anew", testRecreated},
		{"what is away is not missing", testStoreAway},
		{"a stale document is renewed", testRenewal},
		{"one look-up per name at a time", testOneFlight},
		{"a caller can give up", testGivingUp},
		{"changes reach other processes", testPush},
		{"a fill that began before a change is not kept", testLocalEpoch},
		{"entries of another release are replaced", testOtherFormat},
		{"messages of another release empty the process", testOtherMessage},
		{"applications are cached like devices", testApplications},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			i := newInstallation(t, url(t))
			i.timeout = time.Minute // on a busy machine Redis may take longer than a request of a device would wait
			test.run(t, i)
		})
	}
}

func testShared(t *testing.T, i *installation) {
	i.backend.set("app", "d 1:/ü", "u", 7, `{"a":"<b>"}`)
	first, second := i.process(), i.process()
	for _, c := range []*Cache{first, second} {
		got, err := c.Device(t.Context(), "app", "d 1:/ü")
		if err != nil {
			t.Fatal(err)
		}
		if got.Metadata.Revision != 7 || got.Metadata.UID != "u" || len(got.Spec) != 1 {
			t.Errorf("device: %+v", got)
		}
	}
	if n := i.backend.count(); n != 1 {
		t.Errorf("%d reads of the store, want 1", n)
	}
	left := first.remote.client.PTTL(t.Context(), first.key("d 1:/ü")).Val()
	if left <= 0 || left > i.config.HardTTL {
		t.Errorf("the entry lives for %v", left)
	}
}

func testNegative(t *testing.T, i *installation) {
	first, second := i.process(), i.process()
	revision(t, first, "d", 0)
	revision(t, second, "d", 0)
	if n := i.backend.count(); n != 1 {
		t.Errorf("%d reads of the store, want 1", n)
	}
	if left := first.remote.client.PTTL(t.Context(), first.key("d")).Val(); left <= 0 || left > i.config.NegativeTTL {
		t.Errorf("the entry lives for %v", left)
	}
	if err := first.Invalidate(t.Context(), i.backend.set("app", "d", "u", 1, "")); err != nil {
		t.Fatal(err)
	}
	revision(t, second, "d", 1)

	// What cannot be a name is asked of nobody.
	for _, impossible := range []string{"", "a\x00b", "\xff"} {
		revision(t, first, impossible, 0)
	}
	if n := i.backend.count(); n != 2 {
		t.Errorf("%d reads of the store, want 2", n)
	}
}

func testRoundTrips(t *testing.T, i *installation) {
	i.backend.set("app", "d", "u", 1, "")
	revision(t, i.process(), "d", 1)
	revision(t, i.process(), "none", 0)
	c := i.process()
	trips := &counter{}
	c.remote.client.AddHook(trips)
	f := func(device string, want uint64) {
		t.Helper()
		before := trips.trips.Load()
		revision(t, c, device, want)
		if n := trips.trips.Load() - before; n != 1 {
			t.Errorf("%d round trips, want 1", n)
		}
	}
	revision(t, c, "d", 1) // connects
	f("d", 1)
	f("none", 0)
}

// slowly has one reader read the store and wait there while something else happens, which sees what was read before.
func slowly(i *installation, c *Cache, device string, meanwhile func()) {
	i.t.Helper()
	read, carryOn := make(chan struct{}), make(chan struct{})
	var waiting atomic.Bool
	i.backend.mu.Lock()
	i.backend.before = func() {
		if waiting.CompareAndSwap(false, true) {
			close(read)
			<-carryOn
		}
	}
	i.backend.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		_, err := c.Device(i.t.Context(), "app", device)
		done <- err
	}()
	select {
	case <-read:
	case err := <-done:
		i.t.Fatalf("the slow reader did not read the store: %v", err)
	}
	meanwhile()
	close(carryOn)
	if err := <-done; err != nil && !errors.Is(err, registry.ErrNotFound) {
		i.t.Errorf("the slow reader: %v", err)
	}
}

func testSlowReader(t *testing.T, i *installation) {
	slow, other := i.process(), i.process()
	f := func(what string, meanwhile func(), want uint64) {
		t.Helper()
		slowly(i, slow, "d", meanwhile)
		if got := stored(t, other, "d"); got != want {
			t.Errorf("%s: Redis has revision %d, want %d", what, got, want)
		}
	}
	change := func(revision uint64) {
		t.Helper()
		if err := other.Invalidate(t.Context(), i.backend.set("app", "d", "u", revision, "")); err != nil {
			t.Fatal(err)
		}
	}
	f("nothing happens", func() {}, 0) // and Redis has that it is not there
	if err := other.Invalidate(t.Context(), registry.Change{Kind: registry.DeviceChanged, Application: "app", Aliases: []string{"d"}}); err != nil {
		t.Fatal(err)
	}
	f("creation", func() { change(1) }, 0)
	revision(t, other, "d", 1)
	change(2)
	f("change", func() { change(3) }, 0)
	f("change, and somebody reads it", func() { change(4); revision(t, other, "d", 4) }, 4)
	revision(t, slow, "d", 4)
	change(5)
	f("change without a push that arrives", func() { i.backend.set("app", "d", "u", 6, "") }, 5)
	change(7)
	f("a reader without a lease", func() { revision(t, other, "d", 7) }, 7)
}

func testSlowRenewal(t *testing.T, i *installation) {
	slow, other := i.process(), i.process()
	i.backend.set("app", "d", "u", 1, "")
	revision(t, slow, "d", 1)
	age(t, slow, "d")
	slowly(i, slow, "d", func() {
		if err := other.Invalidate(t.Context(), i.backend.set("app", "d", "u", 2, "")); err != nil {
			t.Fatal(err)
		}
	})
	if got := stored(t, other, "d"); got != 0 {
		t.Errorf("Redis has revision %d after the change, want none", got)
	}
	revision(t, slow, "d", 2)
	age(t, slow, "d")
	slowly(i, slow, "d", func() {
		if err := other.Invalidate(t.Context(), i.backend.set("app", "d", "u", 3, "")); err != nil {
			t.Fatal(err)
		}
		revision(t, other, "d", 3)
	})
	if got := stored(t, other, "d"); got != 3 {
		t.Errorf("Redis has revision %d, want that of the faster reader, 3", got)
	}
	age(t, slow, "d")
	slowly(i, slow, "d", func() { revision(t, other, "d", 3) }) // who finds it being renewed does not wait
}

func testRevisions(t *testing.T, i *installation) {
	c := i.process()
	f := func(uid string, revision, want uint64) {
		t.Helper()
		lease, err := c.remote.acquire(t.Context(), c.key("d"))
		if err != nil || lease == "" {
			t.Fatalf("lease %q, %v", lease, err)
		}
		e := entry{device: &registry.Device{Metadata: registry.Metadata{Name: "d", Application: "app", UID: uid, Revision: revision}}}
		if err := c.remote.put(t.Context(), c.key("d"), lease, e, time.Hour); err != nil {
			t.Fatal(err)
		}
		if got := stored(t, c, "d"); got != want {
			t.Errorf("after revision %d of %s: %d, want %d", revision, uid, got, want)
		}
	}
	f("u", 5, 5)
	f("u", 4, 5) // even with a lease
	f("u", 5, 5)
	f("u", 10, 10) // numbers, not texts
	f("u", 9, 10)
	f("v", 1, 1) // another document

	lease, err := c.remote.acquire(t.Context(), c.key("d"))
	if err != nil || lease == "" {
		t.Fatalf("lease %q, %v", lease, err)
	}
	if second, err := c.remote.acquire(t.Context(), c.key("d")); err != nil || second != "" {
		t.Errorf("a second lease %q, %v", second, err)
	}
	c.remote.release(t.Context(), c.key("d"), "somebody else's")
	if second, err := c.remote.acquire(t.Context(), c.key("d")); err != nil || second != "" {
		t.Errorf("a second lease %q, %v", second, err)
	}
	c.remote.release(t.Context(), c.key("d"), lease)
	if third, err := c.remote.acquire(t.Context(), c.key("d")); err != nil || third == "" {
		t.Errorf("no lease after it was given back: %v", err)
	}
}

func testRecreated(t *testing.T, i *installation) {
	c := i.process()
	i.backend.set("app", "d", "u1", 5, "")
	revision(t, c, "d", 5)
	// The change is not heard of, so that the entry just grows stale.
	i.backend.set("app", "d", "u2", 1, "")
	age(t, c, "d")
	revision(t, c, "d", 1)
	if got := stored(t, c, "d"); got != 1 {
		t.Errorf("Redis has revision %d, want 1", got)
	}
}

func testStoreAway(t *testing.T, i *installation) {
	i.backend.set("app", "d", "u", 1, "")
	i.backend.set("app", "unread", "u2", 1, "")
	c := i.process()
	revision(t, c, "d", 1)
	i.backend.setAway(true)
	revision(t, c, "d", 1)
	age(t, c, "d")
	for range 5 {
		revision(t, c, "d", 1)
		unavailable(t, c, "unread")
	}
	// A change must not let the old document live on, even if nobody can read the new one.
	if err := c.Invalidate(t.Context(), i.backend.set("app", "d", "u", 2, "")); err != nil {
		t.Fatal(err)
	}
	unavailable(t, c, "d")
	i.backend.setAway(false)
	eventually(t, "the store to be asked again", func() bool {
		d, err := c.Device(t.Context(), "app", "d")
		return err == nil && d.Metadata.Revision == 2
	})
}

func testRenewal(t *testing.T, i *installation) {
	c := i.process()
	i.backend.set("app", "d", "u", 1, "")
	revision(t, c, "d", 1)
	i.backend.set("app", "d", "u", 2, "")
	revision(t, c, "d", 1)
	age(t, c, "d")
	revision(t, c, "d", 2)
	revision(t, i.process(), "d", 2)
	if n := i.backend.count(); n != 2 {
		t.Errorf("%d reads of the store, want 2", n)
	}
}

func testOneFlight(t *testing.T, i *installation) {
	c := i.process()
	i.backend.set("app", "d", "u", 1, "")
	var group sync.WaitGroup
	slowly(i, c, "d", func() {
		for range 20 {
			group.Go(func() { revision(t, c, "d", 1) })
		}
	})
	group.Wait()
	// Some may have come so late that they found the entry, none read the store.
	if n := i.backend.count(); n != 1 {
		t.Errorf("%d reads of the store, want 1", n)
	}
}

func testGivingUp(t *testing.T, i *installation) {
	c := i.process()
	i.backend.set("app", "d", "u", 1, "")
	slowly(i, c, "d", func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Device(ctx, "app", "d"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
	revision(t, c, "d", 1)
}

func testPush(t *testing.T, i *installation) {
	writer, _ := i.watching()
	reader, heard := i.watching()
	if n := heard.count(everything); n != 1 {
		t.Errorf("%d times everything on subscription, want once", n)
	}
	trips := &counter{}
	reader.remote.client.AddHook(trips)
	i.backend.set("app", "d", "u", 1, "")
	revision(t, reader, "d", 1)
	revision(t, reader, "none", 0)
	before := trips.trips.Load()
	revision(t, reader, "d", 1)
	revision(t, reader, "none", 0)
	if n := trips.trips.Load() - before; n != 0 {
		t.Errorf("%d round trips for what the process has, want 0", n)
	}
	changes := []registry.Change{i.backend.set("app", "d", "u", 2, ""), i.backend.set("app", "none", "v", 1, "")}
	if err := writer.Invalidate(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		eventually(t, "the change", func() bool {
			return heard.count(func(e Event) bool { return cmp.Equal(e.Change, change) }) == 1
		})
	}
	revision(t, reader, "d", 2)
	revision(t, reader, "none", 1)
	revision(t, writer, "d", 2)
}

func testLocalEpoch(t *testing.T, i *installation) {
	c, _ := i.watching()
	i.backend.set("app", "d", "u", 1, "")
	slowly(i, c, "d", func() {
		if err := c.Invalidate(t.Context(), i.backend.set("app", "d", "u", 2, "")); err != nil {
			t.Fatal(err)
		}
		// Nobody joins the look-up that began before the change.
		revision(t, c, "d", 2)
	})
	revision(t, c, "d", 2)
	if n := i.backend.count(); n != 2 {
		t.Errorf("%d reads of the store, want 2", n)
	}
}

func testOtherFormat(t *testing.T, i *installation) {
	c := i.process()
	i.backend.set("app", "d", "u", 1, "")
	for _, value := range []string{"2 1000 u 9\n{}", "", "1", "1 x u 1\n{}", "1 1000 u 1\n{", "1 1000 u 1\n[]", "lease"} {
		if err := c.remote.client.Set(t.Context(), c.key("d"), value, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		revision(t, c, "d", 1)
		if got := stored(t, c, "d"); got != 1 {
			t.Errorf("after %q: Redis has revision %d, want 1", value, got)
		}
	}
}

func testOtherMessage(t *testing.T, i *installation) {
	c, heard := i.watching()
	i.backend.set("app", "d", "u", 1, "")
	revision(t, c, "d", 1)
	for n, text := range []string{"", "{", `{"version":2,"change":{}}`} {
		if err := c.remote.client.Publish(t.Context(), c.remote.keys.channel(), text).Err(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "everything", func() bool { return heard.count(everything) == n+2 })
	}
	if !c.Live() {
		t.Error("a message ended the subscription")
	}
}

func testApplications(t *testing.T, i *installation) {
	const subject = "O=Drogue IoT, OU=Cloud, CN=Application 1"
	a := &registry.Application{Metadata: registry.Metadata{Name: "app", UID: "u", Revision: 3}}
	i.backend.apps["app"], i.backend.apps[subject] = a, a
	first, second := i.process(), i.process()
	for _, c := range []*Cache{first, second} {
		got, err := c.Application(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, got); diff != "" {
			t.Errorf("application (-want +got):\n%s", diff)
		}
		names, err := c.Anchored(t.Context(), subject)
		if err != nil || len(names) != 1 || names[0] != "app" {
			t.Errorf("anchored %q, %v", names, err)
		}
		if _, err := c.Application(t.Context(), "none"); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("error %v, want not found", err)
		}
	}
	if n := i.backend.count(); n != 3 {
		t.Errorf("%d reads of the store, want 3", n)
	}
	// A device of the same name is something else.
	revision(t, first, subject, 0)
	delete(i.backend.apps, subject)
	change := registry.Change{Kind: registry.ApplicationChanged, Application: "app", UID: "u", Revision: 4, Aliases: []string{"app", subject}}
	if err := first.Invalidate(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if names, err := second.Anchored(t.Context(), subject); err != nil || len(names) > 0 {
		t.Errorf("anchored %q, %v after the anchor was taken away", names, err)
	}
}
