package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Health says who answers. Nil is good.
type Health struct{ Redis, Store error }

// Health asks Redis and the backend, both at once.
func (c *Cache) Health(ctx context.Context) Health {
	var h Health
	var group sync.WaitGroup
	group.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
		defer cancel()
		if err := c.remote.client.Ping(ctx).Err(); err != nil {
			h.Redis = fmt.Errorf("redis: %w", err)
		}
	})
	group.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, c.config.BackendTimeout)
		defer cancel()
		if err := c.backend.Ready(ctx); err != nil {
			h.Store = fmt.Errorf("store: %w", err)
		}
	})
	group.Wait()
	return h
}

// Ready is nil if Redis or the backend answers: either alone serves devices, at least those that it knows. Otherwise
// the error says what is wrong with each.
func (c *Cache) Ready(ctx context.Context) error {
	h := c.Health(ctx)
	if h.Redis == nil || h.Store == nil {
		return nil
	}
	return errors.Join(h.Redis, h.Store)
}
