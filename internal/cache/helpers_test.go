package cache

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

var errAway = errors.New("the database is away")

// A fake is a backend in memory that can be away and can be made to wait.
type fake struct {
	mu      sync.Mutex
	devices map[string]*registry.Device
	apps    map[string]*registry.Application
	away    bool
	before  func() // of every answer, after it was read
	reads   int
}

func newFake() *fake {
	return &fake{devices: map[string]*registry.Device{}, apps: map[string]*registry.Application{}}
}

// set stores a device and returns the change.
func (f *fake) set(application, device, uid string, revision uint64, spec string) registry.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := &registry.Device{Metadata: registry.Metadata{Name: device, Application: application, UID: uid, Revision: revision}}
	if spec != "" {
		d.Spec = registry.Sections{"x": []byte(spec)}
	}
	f.devices[application+"/"+device] = d
	return registry.Change{Kind: registry.DeviceChanged, Application: application, Device: device, UID: uid, Revision: revision, Aliases: []string{device}}
}

func (f *fake) setAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

func (f *fake) Application(_ context.Context, alias string) (*registry.Application, error) {
	return answerFrom(f, f.apps, alias)
}

func (f *fake) Anchored(_ context.Context, subject string) ([]string, error) {
	found, err := answerFrom(f, f.apps, subject)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []string{found.Metadata.Name}, nil
}

func (f *fake) Device(_ context.Context, application, alias string) (*registry.Device, error) {
	return answerFrom(f, f.devices, application+"/"+alias)
}

func answerFrom[T any](f *fake, from map[string]*T, key string) (*T, error) {
	f.mu.Lock()
	f.reads++
	found, away, before := from[key], f.away, f.before
	f.mu.Unlock()
	if before != nil {
		before()
	}
	if away {
		return nil, errAway
	}
	if found == nil {
		return nil, fmt.Errorf("fake: %w", registry.ErrNotFound)
	}
	return found, nil
}

func (f *fake) Ready(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away {
		return errAway
	}
	return nil
}

// An installation is what several processes share.
type installation struct {
	t       *testing.T
	config  Config
	timeout time.Duration // of Redis, beyond what a configuration allows; 0: that of the configuration
	backend *fake
}

func newInstallation(t *testing.T, url string) *installation {
	config := DefaultConfig()
	config.URL = url
	// Channels of a real Redis are seen by all tests.
	config.Instance = fmt.Sprintf("t%d", instances.Add(1))
	return &installation{t: t, config: config, backend: newFake()}
}

// instances numbers installations, so that tests of one server do not meet.
var instances atomic.Int64

// process makes a cache as a process has it.
func (i *installation) process() *Cache {
	i.t.Helper()
	c, err := New(i.config, i.backend)
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { _ = c.Close() })
	if i.timeout > 0 {
		config := i.config
		config.Timeout = i.timeout
		remote, err := newRemote(&config, c.metrics)
		if err != nil {
			i.t.Fatal(err)
		}
		_ = c.Close()
		c.remote = remote
	}
	return c
}

// watching makes a cache that watches, and waits until it is live.
func (i *installation) watching() (*Cache, *listener) {
	i.t.Helper()
	c := i.process()
	l := &listener{}
	c.Subscribe(l.hear)
	ctx, cancel := context.WithCancel(i.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Watch(ctx) }()
	i.t.Cleanup(func() { cancel(); <-done })
	eventually(i.t, "the subscription", c.Live)
	return c, l
}

type listener struct {
	mu     sync.Mutex
	events []Event
}

func (l *listener) hear(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// count counts the events for which a condition holds.
func (l *listener) count(is func(Event) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.events {
		if is(e) {
			n++
		}
	}
	return n
}

func everything(e Event) bool { return e.Everything }

// eventually waits for a condition; the minute only ends a test that fails.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("waiting for %s took too long", what)
		case <-ticker.C:
		}
	}
}

// revision looks a device up and expects its revision; 0 is not found.
func revision(t *testing.T, c *Cache, device string, want uint64) {
	t.Helper()
	d, err := c.Device(t.Context(), "app", device)
	switch {
	case want == 0 && errors.Is(err, registry.ErrNotFound):
	case want == 0:
		t.Errorf("device %q: %v, %v, want not found", device, d, err)
	case err != nil:
		t.Errorf("device %q: %v", device, err)
	case d.Metadata.Revision != want:
		t.Errorf("device %q: revision %d, want %d", device, d.Metadata.Revision, want)
	}
}

func unavailable(t *testing.T, c *Cache, device string) {
	t.Helper()
	if _, err := c.Device(t.Context(), "app", device); errors.Is(err, registry.ErrNotFound) || outcome.Of(err) != outcome.Unavailable {
		t.Errorf("device %q: %v, want unavailable", device, err)
	}
}

// age makes Redis believe that an entry was written long enough ago to be stale.
func age(t *testing.T, c *Cache, device string) {
	t.Helper()
	left := c.config.HardTTL - c.config.SoftTTL - time.Minute
	if ok, err := c.remote.client.PExpire(t.Context(), c.key(device), left).Result(); err != nil || !ok {
		t.Fatalf("ageing %q: %t, %v", device, ok, err)
	}
}

func (c *Cache) key(device string) string {
	return c.remote.keys.entry(name{kind: registry.DeviceChanged, application: "app", alias: device})
}

// stored is the revision that Redis has of a device, 0 for none.
func stored(t *testing.T, c *Cache, device string) uint64 {
	t.Helper()
	text, err := c.remote.client.Get(t.Context(), c.key(device)).Bytes()
	if errors.Is(err, redis.Nil) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := decode(text, registry.DeviceChanged)
	if err != nil {
		t.Fatal(err)
	}
	_, revision := e.version()
	return revision
}

// A counter counts round trips.
type counter struct{ trips, dials atomic.Int64 }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c.dials.Add(1)
		return next(ctx, network, address)
	}
}

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		c.trips.Add(1)
		return next(ctx, command)
	}
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		c.trips.Add(1)
		return next(ctx, commands)
	}
}
