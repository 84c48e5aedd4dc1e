package presence

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/redis"
)

// listenPause is the shortest time between two signs of life that are asked for. Otherwise a subscription is asked for them as often as
// this process gives them.
const listenPause = 500 * time.Millisecond

// listen hears what other processes have to say to this one, until ctx ends. News that are missed cost time only: verify
// and sweep find out the same.
func (t *Tracker) listen(ctx context.Context) {
	subscription := &redis.Subscription{
		Client:   t.ledger.client,
		Channels: []string{t.ledger.keys.channels() + t.node},
		Interval: max(t.config.Heartbeat, listenPause),
		Up: func() {
			t.heart.hears.Store(true)
			poke(t.checks) // something may have been missed before
		},
		Down: func(err error) {
			t.heart.hears.Store(false)
			if !errors.Is(err, context.Canceled) {
				t.metrics.failure(failedSubscription)
			}
		},
		Message: t.hear,
	}
	subscription.Run(ctx)
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
