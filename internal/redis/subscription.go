package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/backoff"
)

const (
	// signOfLife is how often a subscription is asked for a sign of life, if nothing else is said.
	signOfLife = 500 * time.Millisecond
	// silence is how many times that long nothing may come until a subscription counts as lost.
	silence = 3

	// Pauses between two attempts to subscribe; they grow from the first to the longest.
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
)

var (
	errSilent = errors.New("redis has gone silent")
	errTwice  = errors.New("the client of redis connected anew by itself")
)

// A Subscription hears what is published on channels, and knows at any time whether it does. A connection that breaks, and one on which
// nothing comes any more, is made anew.
//
// The functions are called one at a time, by Run.
type Subscription struct {
	Client   redis.UniversalClient
	Channels []string
	Interval time.Duration // between two signs of life that are asked for; 0 is 500 ms

	Up      func()               // what is published from now on is heard; what was published before may have been missed
	Down    func(error)          // it is lost, could not be made, or ends because the context does, which is the error then
	Message func(message string) // what was published
}

// Run keeps the subscription until ctx ends.
func (s *Subscription) Run(ctx context.Context) {
	pauses := backoff.New(firstPause, longestPause)
	for {
		up, err := s.listen(ctx)
		s.Down(err)
		if up {
			pauses.Reset()
		}
		if !pauses.Wait(ctx) {
			return
		}
	}
}

func (s *Subscription) interval() time.Duration {
	if s.Interval == 0 {
		return signOfLife
	}
	return s.Interval
}

// listen keeps one connection until it is lost.
func (s *Subscription) listen(ctx context.Context) (up bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	subscription := s.Client.Subscribe(ctx, s.Channels...)
	defer subscription.Close()
	received := make(chan any)
	go receive(ctx, subscription, received)

	last, confirmed := time.Now(), 0
	ticker := time.NewTicker(s.interval())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return up, ctx.Err()
		case <-ticker.C:
			if time.Since(last) > silence*s.interval() {
				return up, errSilent
			}
			if !up {
				continue
			}
			if err := subscription.Ping(ctx); err != nil {
				return up, fmt.Errorf("asking redis for a sign of life: %w", err)
			}
		case news := <-received:
			last = time.Now()
			switch news := news.(type) {
			case error:
				return up, fmt.Errorf("receiving from redis: %w", news)
			case *redis.Subscription: // one for each channel
				if confirmed++; confirmed > len(s.Channels) {
					return up, errTwice // something may have been missed
				}
				if up = confirmed == len(s.Channels); up {
					s.Up()
				}
			case *redis.Message:
				s.Message(news.Payload)
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
