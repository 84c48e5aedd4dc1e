package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"github.com/fairlead/fairlead/internal/registry"
)

const (
	messageVersion = 1
	batch          = 100 // changes of one pipeline
)

// A message is what is published of a change.
type message struct {
	Version int             `json:"version"`
	Change  registry.Change `json:"change"`
}

// An Event says that one resource changed, or, if Everything is set, that any may have changed unheard: the
// subscription was made anew, or a message was not understood.
//
// With an application change all decisions about its devices, too, and with a device all about the devices for which
// it acts. Documents of devices do not change with their application.
type Event struct {
	Change     registry.Change
	Everything bool
}

// Subscribe has f called for every event that this process hears of, one after the other and perhaps more than once.
// It must return soon and must not look anything up. Events come from Invalidate in this process and, while Watch runs,
// from others. The returned function ends it.
func (c *Cache) Subscribe(f func(Event)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextID
	c.nextID++
	c.subscribers[id] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.subscribers, id)
	}
}

func (c *Cache) notify(event Event) {
	c.mu.Lock()
	all := slices.Collect(maps.Values(c.subscribers))
	c.mu.Unlock()
	for _, f := range all {
		f(event)
	}
}

// Invalidate has every process forget what changed, and takes the leases of those who are just reading it. Call it
// after the change is committed. If it fails, this process has forgotten, but Redis and others may not have: call it
// again until it succeeds. Doing it twice does no harm.
func (c *Cache) Invalidate(ctx context.Context, changes ...registry.Change) error {
	var problems []error
	for some := range slices.Chunk(changes, batch) {
		problems = append(problems, c.publish(ctx, some))
	}
	// Only now, so that nobody here takes the old document from Redis again.
	for _, change := range changes {
		c.forget(change)
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("invalidating in Redis: %w", err)
	}
	return nil
}

// publish deletes the entries of changed documents in Redis, and then tells the other processes.
func (c *Cache) publish(ctx context.Context, changes []registry.Change) error {
	return c.remote.insist(ctx, func(ctx context.Context) error {
		_, err := c.remote.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, change := range changes {
				if keys := c.remote.keys.all(change); len(keys) > 0 {
					p.Del(ctx, keys...)
				}
				text, err := json.Marshal(message{messageVersion, change})
				if err != nil {
					return err
				}
				p.Publish(ctx, c.remote.keys.channel(), text)
			}
			return nil
		})
		return err
	})
}

// forget drops what this process knows of a changed document, and lets nobody join a look-up that began before.
func (c *Cache) forget(change registry.Change) {
	for _, n := range names(change) {
		c.flights.Load().Forget(c.remote.keys.entry(n))
		c.local.forget(n)
	}
	c.metrics.heard()
	c.notify(Event{Change: change})
}

// forgetEverything is for when changes may have gone unheard.
func (c *Cache) forgetEverything() {
	c.flights.Store(&singleflight.Group{})
	c.local.clear()
	c.notify(Event{Everything: true})
}
