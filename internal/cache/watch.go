package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	heartbeat = 500 * time.Millisecond  // between two signs of life that are asked for
	silence   = 1500 * time.Millisecond // after which a subscription counts as lost

	minBackoff = 20 * time.Millisecond // between two attempts to subscribe
	maxBackoff = time.Second
)

var errSilent = errors.New("redis has gone silent")

// Watch receives the changes that other processes invalidate, until ctx ends. It is called once. While it has a
// subscription, the layer in process is in use; when the subscription is lost, that layer is emptied and bypassed, and
// when it is there again, subscribers are told that everything may have changed.
func (c *Cache) Watch(ctx context.Context) {
	backoff := minBackoff
	for {
		subscribed, _ := c.listen(ctx)
		c.local.down()
		if ctx.Err() != nil {
			return
		}
		c.metrics.failure(failedSubscribe)
		if subscribed {
			backoff = minBackoff
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff/2 + rand.N(backoff/2)):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// Live tells whether this process hears of every change right now. Who keeps decisions of his own may keep them less
// long while it does not.
func (c *Cache) Live() bool { return c.local.live.Load() }

// listen keeps one subscription until it is lost.
func (c *Cache) listen(ctx context.Context) (subscribed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	subscription := c.remote.client.Subscribe(ctx, c.remote.keys.channel())
	defer subscription.Close()
	received := make(chan any)
	go receive(ctx, subscription, received)

	last := time.Now()
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return subscribed, ctx.Err()
		case <-ticker.C:
			if time.Since(last) > silence {
				return subscribed, errSilent
			}
			if !subscribed {
				continue
			}
			if err := subscription.Ping(ctx); err != nil {
				return subscribed, fmt.Errorf("asking Redis for a sign of life: %w", err)
			}
		case news := <-received:
			last = time.Now()
			switch news := news.(type) {
			case error:
				return subscribed, fmt.Errorf("receiving from Redis: %w", news)
			case *redis.Subscription:
				// A second one means that the client connected anew, unasked, and may have missed something.
				if subscribed {
					return subscribed, errors.New("subscribed twice")
				}
				subscribed = true
				c.local.up()
				c.forgetEverything()
			case *redis.Message:
				c.hear(news.Payload)
			}
		}
	}
}

// receive reads until the subscription fails or is closed.
func receive(ctx context.Context, subscription *redis.PubSub, into chan<- any) {
	for {
		news, err := subscription.Receive(ctx)
		if err != nil {
			news = err
		}
		select {
		case into <- news:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

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
