package cache

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/fairlead/fairlead/internal/redis"
)

// Watch receives the changes that other processes invalidate, until ctx ends. It is called once. While it has a
// subscription, the layer in process is in use; when the subscription is lost, that layer is emptied and bypassed, and
// when it is there again, subscribers are told that everything may have changed.
func (c *Cache) Watch(ctx context.Context) {
	subscription := &redis.Subscription{
		Client:   c.remote.client,
		Channels: []string{c.remote.keys.channel()},
		Up: func() {
			c.local.up()
			c.forgetEverything()
		},
		Down: func(err error) {
			c.local.down()
			if !errors.Is(err, context.Canceled) {
				c.metrics.failure(failedSubscribe)
			}
		},
		Message: c.hear,
	}
	subscription.Run(ctx)
}

// Live tells whether this process hears of every change right now. Who keeps decisions of his own may keep them less
// long while it does not.
func (c *Cache) Live() bool { return c.local.live.Load() }

func (c *Cache) hear(payload string) {
	var m message
	if json.Unmarshal([]byte(payload), &m) == nil && m.Version == messageVersion {
		c.forget(m.Change)
		return
	}
	// Of another release: it says that something changed, but not what.
	c.metrics.failure(failedDecoding)
	c.forgetEverything()
}
