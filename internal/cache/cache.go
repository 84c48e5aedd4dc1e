package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Source reads registry documents by name or alias. What does not exist is registry.ErrNotFound; any other error
// means that nobody could tell. Documents may be shared with other callers: nobody changes them.
type Source interface {
	Application(ctx context.Context, alias string) (*registry.Application, error)
	Device(ctx context.Context, application, alias string) (*registry.Device, error)
	// Anchored lists the names of the applications that have a trust anchor of a subject.
	Anchored(ctx context.Context, subject string) ([]string, error)
}

// A Backend is the source behind the cache, usually a *store.Store.
type Backend interface {
	Source
	// Ready is nil if the backend answers.
	Ready(ctx context.Context) error
}

// A Cache is a Source that asks a backend as rarely as possible. It is safe for concurrent use.
type Cache struct {
	config  Config
	backend Backend
	breaker breaker // for the backend
	local   *local
	remote  *remote
	flights atomic.Pointer[singleflight.Group]
	metrics *metrics

	mu          sync.Mutex
	subscribers map[int]func(Event)
	nextID      int
}

var _ Source = (*Cache)(nil)

var (
	errNoApplication = fmt.Errorf("application %w", registry.ErrNotFound)
	errNoDevice      = fmt.Errorf("device %w", registry.ErrNotFound)
)

// New makes a cache. It does not connect: a Redis that is away is no error.
func New(config Config, backend Backend) (*Cache, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	m := newMetrics()
	r, err := newRemote(&config, m)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c := &Cache{
		config:      config,
		backend:     backend,
		local:       newLocal(config.LocalTTL, config.LocalEntries, config.LocalBytes),
		remote:      r,
		breaker:     newBreaker(),
		metrics:     m,
		subscribers: map[int]func(Event){},
	}
	c.flights.Store(&singleflight.Group{})
	return c, nil
}

// Close releases the connections to Redis. The backend stays open.
func (c *Cache) Close() error { return c.remote.client.Close() }

// Anchored lists the names of the applications that have a trust anchor of a subject; there may be none. An error has the
// outcome Unavailable.
func (c *Cache) Anchored(ctx context.Context, subject string) ([]string, error) {
	found, err := c.find(ctx, name{kind: anchored, alias: subject})
	if err != nil {
		return nil, fmt.Errorf("looking up the applications of a trust anchor: %w", err)
	}
	return found.anchored, nil
}

// Application finds an application by its name. An error that is not registry.ErrNotFound has the outcome Unavailable.
func (c *Cache) Application(ctx context.Context, alias string) (*registry.Application, error) {
	found, err := c.find(ctx, name{kind: registry.ApplicationChanged, alias: alias})
	if err != nil {
		return nil, fmt.Errorf("looking up an application: %w", err)
	}
	if found.application == nil {
		return nil, errNoApplication
	}
	return found.application, nil
}

// Device finds a device of an application, given by registry name, by the device's name or alias. An error that is not
// registry.ErrNotFound has the outcome Unavailable.
func (c *Cache) Device(ctx context.Context, application, alias string) (*registry.Device, error) {
	found, err := c.find(ctx, name{kind: registry.DeviceChanged, application: application, alias: alias})
	if err != nil {
		return nil, fmt.Errorf("looking up a device: %w", err)
	}
	if found.device == nil {
		return nil, errNoDevice
	}
	return found.device, nil
}

// find asks the process's layer, and then lets one of all who ask for the same name go further. That one does not
// stop when its own caller gives up, since others wait for it too.
func (c *Cache) find(ctx context.Context, n name) (entry, error) {
	if !n.valid() {
		return entry{}, nil
	}
	if found, ok := c.local.get(n); ok {
		c.metrics.answered(fromLocal, found.found())
		return found, nil
	}
	key := c.remote.keys.entry(n)
	answers := c.flights.Load().DoChan(key, func() (any, error) {
		return c.load(context.WithoutCancel(ctx), n, key)
	})
	select {
	case answer := <-answers:
		if answer.Err != nil {
			return entry{}, outcome.Wrap(outcome.Unavailable, "the device registry cannot be reached", answer.Err)
		}
		return answer.Val.(entry), nil
	case <-ctx.Done():
		return entry{}, outcome.Wrap(outcome.Unavailable, "the device registry did not answer in time", context.Cause(ctx))
	}
}

// load asks Redis and, if need be, the backend.
func (c *Cache) load(ctx context.Context, n name, key string) (entry, error) {
	epoch := c.local.epoch(n)
	cached, is, err := c.remote.fetch(ctx, n, key)
	if err != nil {
		return c.read(ctx, n, epoch)
	}
	if is == fresh {
		c.metrics.answered(fromRedis, cached.found())
		c.local.put(n, cached, epoch, c.ttl(cached))
		return cached, nil
	}
	lease, err := c.remote.acquire(ctx, key)
	if is == stale && (err != nil || lease == "") {
		c.metrics.answered(fromStale, true)
		return cached, nil
	}
	found, err := c.read(ctx, n, epoch)
	if err != nil && is == stale {
		// The lease stays until it expires, so that the backend is asked for this name only every ten seconds.
		c.metrics.answered(fromStale, true)
		return cached, nil
	}
	if lease == "" {
		return found, err
	}
	if err != nil {
		c.remote.release(ctx, key, lease)
		return entry{}, err
	}
	// What cannot be kept is still the answer; attempt has counted the failure.
	_ = c.remote.put(ctx, key, lease, found, c.ttl(found))
	return found, nil
}

// read asks the backend, unless it failed just now, and keeps what it says.
func (c *Cache) read(ctx context.Context, n name, epoch uint64) (entry, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.BackendTimeout)
	defer cancel()
	var found entry
	err := c.breaker.do(func() (err error) {
		found, err = c.ask(ctx, n)
		return err
	})
	if err != nil {
		if !errors.Is(err, errPaused) {
			c.metrics.failure(failedStore)
		}
		return entry{}, fmt.Errorf("reading the store: %w", err)
	}
	c.metrics.answered(fromStore, found.found())
	c.local.put(n, found, epoch, c.ttl(found))
	return found, nil
}

// ask asks the backend once. What does not exist is an entry, too.
func (c *Cache) ask(ctx context.Context, n name) (found entry, err error) {
	switch n.kind {
	case anchored:
		found.anchored, err = c.backend.Anchored(ctx, n.alias)
	case registry.ApplicationChanged:
		found.application, err = c.backend.Application(ctx, n.alias)
	default:
		found.device, err = c.backend.Device(ctx, n.application, n.alias)
	}
	if errors.Is(err, registry.ErrNotFound) {
		return entry{}, nil
	}
	return found, err
}

func (c *Cache) ttl(e entry) (hard time.Duration) {
	if e.found() {
		return c.config.HardTTL
	}
	return c.config.NegativeTTL
}
