package changes

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

func TestEverythingIsToldInOrder(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Batch = 3 })
	put(t, w.store, "", 1)
	for i := range 3 {
		put(t, w.store, "d", i)
		put(t, w.store, "e", i)
	}
	if _, err := w.store.DeleteDevice(t.Context(), "app", "d"); err != nil {
		t.Fatal(err)
	}
	w.relay.Drain(t.Context())
	w.want("drogue/app", "1-.")
	w.want("drogue/app/d", "1-.", "2-.spec.a", "2-.spec.b", "3-.spec.a", "3-.spec.b", "4-.")
	w.want("drogue/app/e", "1-.", "2-.spec.a", "2-.spec.b", "3-.spec.a", "3-.spec.b")
	if w.left() != 0 || w.redis.heard("app/d 4") != 1 || w.redis.heard("app/ 1") != 1 {
		t.Errorf("%d are left, and Redis heard %v", w.left(), w.redis.count)
	}
}

func TestResourcesDoNotWaitForEachOther(t *testing.T) {
	w := newWorld(t, nil)
	w.kafka.hold = make(chan struct{})
	put(t, w.store, "", 1)
	put(t, w.store, "d", 1)
	put(t, w.store, "d", 2)
	put(t, w.store, "e", 1)
	w.run()
	for range 3 { // one of each resource
		<-w.kafka.arrived
	}
	close(w.kafka.hold)
	w.eventually("an empty outbox", func() bool { return w.left() == 0 })
	w.want("drogue/app/d", "1-.", "2-.spec.a", "2-.spec.b")
}

func TestNothingFollowsWhatFailed(t *testing.T) {
	w := newWorld(t, nil)
	put(t, w.store, "", 1)
	put(t, w.store, "d", 1)
	put(t, w.store, "d", 2)
	put(t, w.store, "d", 3)
	put(t, w.store, "e", 1)
	w.kafka.set(func(id string) error {
		if strings.HasSuffix(id, "-2-.spec.b") {
			return errors.New("not now")
		}
		return nil
	})
	w.relay.Drain(t.Context())
	w.want("drogue/app/d", "1-.", "2-.spec.a")
	w.want("drogue/app/e", "1-.")
	if w.left() != 2 {
		t.Errorf("%d entries are left, want 2", w.left())
	}
	w.kafka.set(nil)
	w.relay.Drain(t.Context())
	w.want("drogue/app/d", "1-.", "2-.spec.a", "2-.spec.a", "2-.spec.b", "3-.spec.a", "3-.spec.b")
	w.want("drogue/app/e", "1-.")
	if w.left() != 0 {
		t.Errorf("%d entries are left", w.left())
	}
	// Whoever hears of a change twice can tell.
	if len(w.kafka.ids) != 1+5+1 {
		t.Errorf("%d ids", len(w.kafka.ids))
	}
}

func TestRedisComesFirst(t *testing.T) {
	w := newWorld(t, nil)
	put(t, w.store, "", 1)
	w.redis.set(errors.New("away"))
	w.relay.Drain(t.Context())
	w.want("drogue/app")
	if w.left() != 1 {
		t.Errorf("%d entries are left, want 1", w.left())
	}
	w.redis.set(nil)
	w.relay.Drain(t.Context())
	w.want("drogue/app", "1-.")
}

// A process may die after its commit, or after Kafka has taken an event and before that is noted.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	s := open(t, path)
	put(t, s, "", 1)
	put(t, s, "d", 1)
	put(t, s, "d", 2)
	k := newKafka()
	dead := New(DefaultConfig(), dying{s}, &redis{count: map[string]int{}}, k, nil)
	func() {
		defer func() { _ = recover() }()
		dead.Drain(t.Context())
		t.Error("the process lives")
	}()
	if got := k.log("drogue/app/d"); len(got) != 3 {
		t.Fatalf("written before the crash: %q", got)
	}

	again := open(t, path)
	w := &world{T: t, store: again, redis: &redis{count: map[string]int{}}, kafka: k}
	w.relay = New(DefaultConfig(), again, w.redis, k, nil)
	w.relay.Drain(t.Context())
	w.want("drogue/app", "1-.", "1-.")
	w.want("drogue/app/d", "1-.", "2-.spec.a", "2-.spec.b", "1-.", "2-.spec.a", "2-.spec.b")
	if w.left() != 0 || w.redis.heard("app/d 2") != 1 {
		t.Errorf("%d entries are left, and Redis heard %v", w.left(), w.redis.count)
	}
	if len(k.ids) != 4 {
		t.Errorf("%d ids, want the same as before the crash", len(k.ids))
	}
}

// dying is an outbox whose process dies when everything is sent.
type dying struct{ *store.Store }

func (d dying) Relay(ctx context.Context, limit int, send func(context.Context, []store.Entry) []int64) (store.Relayed, error) {
	return d.Store.Relay(ctx, limit, func(ctx context.Context, entries []store.Entry) []int64 {
		send(ctx, entries)
		panic("dead")
	})
}

func TestTell(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Interval = time.Minute })
	put(t, w.store, "", 1)
	w.run()
	w.eventually("the first look", func() bool { return w.left() == 0 })
	changes := put(t, w.store, "d", 1)
	w.relay.Tell(t.Context(), changes)
	if w.redis.heard("app/d 1") == 0 {
		t.Error("Redis has not heard of the change when Tell returned")
	}
	w.eventually("an empty outbox", func() bool { return w.left() == 0 })
	w.want("drogue/app/d", "1-.")

	// A writer whose caller has gone away, or without Redis, is done all the same.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	w.relay.Tell(gone, put(t, w.store, "d", 2))
	w.eventually("an empty outbox", func() bool { return w.left() == 0 })
	if w.redis.heard("app/d 2") == 0 {
		t.Error("Redis has not heard of a change whose writer went away")
	}
	w.redis.set(errors.New("away"))
	w.relay.Tell(t.Context(), put(t, w.store, "d", 3))
	w.relay.Tell(t.Context(), nil)
}

func TestFull(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxWaiting = 3 })
	w.kafka.set(func(string) error { return errors.New("away") })
	w.run()
	put(t, w.store, "", 1)
	put(t, w.store, "d", 1)
	w.eventually("two entries", func() bool { return w.relay.waiting.Load() == 2 })
	if w.relay.Full() {
		t.Error("two of three are too many")
	}
	put(t, w.store, "e", 1)
	w.eventually("three entries", w.relay.Full)
	w.kafka.set(nil)
	w.eventually("room", func() bool { return !w.relay.Full() })
}

func TestRelayGoesOnAfterItsStoreFailed(t *testing.T) {
	w := newWorld(t, nil)
	broken := &breaking{Store: w.store}
	broken.set(errors.New("away"))
	w.relay = New(w.relay.config, broken, w.redis, w.kafka, nil)
	put(t, w.store, "", 1)
	w.run()
	w.eventually("some attempts", func() bool { return broken.attempts() > 2 })
	broken.set(nil)
	w.eventually("an empty outbox", func() bool { return w.left() == 0 })
}

// breaking is an outbox that may be away.
type breaking struct {
	*store.Store
	mu    sync.Mutex
	err   error
	tries int
}

func (b *breaking) set(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *breaking) attempts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tries
}

func (b *breaking) Relay(ctx context.Context, limit int, send func(context.Context, []store.Entry) []int64) (store.Relayed, error) {
	b.mu.Lock()
	b.tries++
	err := b.err
	b.mu.Unlock()
	if err != nil {
		return store.Relayed{}, err
	}
	return b.Store.Relay(ctx, limit, send)
}

// Stopping waits for what is under way and loses nothing.
func TestStopping(t *testing.T) {
	w := newWorld(t, nil)
	w.kafka.hold = make(chan struct{})
	put(t, w.store, "", 1)
	put(t, w.store, "d", 1)
	put(t, w.store, "d", 2)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.relay.Run(ctx)
	}()
	for range 2 {
		<-w.kafka.arrived
	}
	stop()
	close(w.kafka.hold)
	<-done
	w.want("drogue/app/d", "1-.")
	if w.left() != 1 {
		t.Errorf("%d entries are left, want 1", w.left())
	}
	w.relay.Drain(t.Context())
	w.want("drogue/app/d", "1-.", "2-.spec.a", "2-.spec.b")
}

// Drain waits for its turn.
func TestDrainingWhileAnotherOneRelays(t *testing.T) {
	w := newWorld(t, nil)
	put(t, w.store, "", 1)
	put(t, w.store, "d", 1)
	inside, leave := make(chan struct{}), make(chan struct{})
	other := make(chan error, 1)
	go func() {
		_, err := w.store.Relay(t.Context(), 1, func(context.Context, []store.Entry) []int64 {
			close(inside)
			<-leave
			return nil
		})
		other <- err
	}()
	<-inside
	turns := &turns{Store: w.store, busy: func() { leave <- struct{}{} }}
	w.relay = New(w.relay.config, turns, w.redis, w.kafka, nil)
	w.relay.Drain(t.Context())
	if err := <-other; err != nil {
		t.Fatal(err)
	}
	w.want("drogue/app", "1-.")
	w.want("drogue/app/d", "1-.")
	if w.left() != 0 {
		t.Errorf("%d entries are left", w.left())
	}
}

// turns is an outbox that says when it was not the relay's turn, once.
type turns struct {
	*store.Store
	once sync.Once
	busy func()
}

func (o *turns) Relay(ctx context.Context, limit int, send func(context.Context, []store.Entry) []int64) (store.Relayed, error) {
	done, err := o.Store.Relay(ctx, limit, send)
	if done.Busy {
		o.once.Do(o.busy)
	}
	return done, err
}

func TestEntriesOfAnEarlierRelease(t *testing.T) {
	w := newWorld(t, nil)
	events := w.relay.events(store.Entry{Change: registry.Change{Application: "app", UID: "u", Revision: 7}})
	if len(events) != 1 || events[0].Path != "." || events[0].Revision != 7 {
		t.Errorf("%+v", events)
	}
}

func TestConfigValidate(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Topic = "" }, "topic: ")
	f(func(c *Config) { c.Instance = "a\nb" }, "instance: ")
	f(func(c *Config) { c.Interval = 0 }, "interval: ")
	f(func(c *Config) { c.Batch = 1001 }, "batch: ")
	f(func(c *Config) { c.MaxWaiting = 0 }, "maxWaiting: ")
}
