package presence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// A subscription is asked for signs of life as often as this process gives them, but not more often than listenPause; it
// counts as lost after silence times that long without one.
const (
	listenPause = 500 * time.Millisecond
	silence     = 3
)

var errSilent = errors.New("redis has gone silent")

// listen hears what other processes have to say to this one, until ctx ends. News that are missed cost time only: verify
// and sweep find out the same.
func (t *Tracker) listen(ctx context.Context) {
	wait := minPause
	for {
		subscribed, err := t.hearken(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.metrics.failure(failedSubscription)
		}
		if subscribed {
			wait = minPause
		}
		if !pause(ctx, wait/2+rand.N(wait/2)) {
			return
		}
		wait = min(2*wait, maxPause)
	}
}

// hearken keeps one subscription until it is lost.
func (t *Tracker) hearken(ctx context.Context) (subscribed bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	subscription := t.ledger.client.Subscribe(ctx, t.ledger.keys.channels()+t.node)
	defer subscription.Close()
	defer t.heart.hears.Store(false)
	received := make(chan any)
	go receive(ctx, subscription, received)

	interval := max(t.config.Heartbeat, listenPause)
	last := time.Now()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return subscribed, ctx.Err()
		case <-ticker.C:
			if time.Since(last) > silence*interval {
				return subscribed, errSilent
			}
			if subscribed {
				if err := subscription.Ping(ctx); err != nil {
					return subscribed, fmt.Errorf("asking redis for a sign of life: %w", err)
				}
			}
		case news := <-received:
			last = time.Now()
			switch news := news.(type) {
			case error:
				return subscribed, fmt.Errorf("receiving from redis: %w", news)
			case *redis.Subscription:
				subscribed = true
				t.heart.hears.Store(true)
				poke(t.checks) // something may have been missed before
			case *redis.Message:
				t.hear(news.Payload)
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

// hear does what a message says: a word, and the epoch of a session or the name of a device.
func (t *Tracker) hear(text string) {
	word, about, _ := strings.Cut(text, " ")
	if word == "store" {
		t.drainer.add(about, true)
		return
	}
	e, err := parseEpoch(about)
	if err != nil {
		t.metrics.failure(failedMessage)
		return
	}
	switch word {
	case "lost":
		if l := t.find(e); l != nil {
			t.lose(l)
		}
	case "stored":
		t.stored(e)
	default:
		t.metrics.failure(failedMessage)
	}
}
