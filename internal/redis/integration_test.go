//go:build integration

package redis

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }

// TestModes keeps a value and hears a message behind one server, Sentinel and a cluster.
func TestModes(t *testing.T) {
	f := func(mode string, url func(*testing.T) string) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			c := DefaultConfig()
			c.Mode, c.URL, c.Timeout = mode, url(t), maxTimeout
			client, err := c.Client()
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			neighbour.Eventually(t, "a value is kept", func() bool {
				return client.Set(t.Context(), c.Keys()+"x", "1", 0).Err() == nil
			})
			r := follow(t, client, c.Keys()+"news")
			r.await(t, "up")
			neighbour.Eventually(t, "a message is heard", func() bool {
				_ = client.Publish(t.Context(), c.Keys()+"news", "hello").Err()
				return r.saw("hello")
			})
		})
	}
	f(Single, func(t *testing.T) string { return neighbour.SharedRedis(t).Database(t) })
	f(Sentinel, func(t *testing.T) string {
		return "redis://" + sentinel(t, neighbour.NewRedis(t)).Address() + "?master_name=main"
	})
	f(Cluster, func(t *testing.T) string { return neighbour.NewRedisCluster(t).URL() })
}

// sentinel watches a server under the name main.
func sentinel(t *testing.T, watched *neighbour.Redis) *neighbour.Redis {
	t.Helper()
	server, err := neighbour.StartSentinel(t.Context(), "main", watched)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// A recorder keeps what a subscription tells.
type recorder struct{ told chan string }

func follow(t *testing.T, client redis.UniversalClient, channel string) *recorder {
	r := &recorder{told: make(chan string, 1<<16)}
	s := &Subscription{
		Client: client, Channels: []string{channel, channel + "-too"}, Interval: 50 * time.Millisecond,
		Up:      func() { r.told <- "up" },
		Down:    func(error) { r.told <- "down" },
		Message: func(text string) { r.told <- text },
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return r
}

// saw takes what was told so far, and tells whether the text is among it.
func (r *recorder) saw(text string) bool {
	for {
		select {
		case told := <-r.told:
			if told == text {
				return true
			}
		default:
			return false
		}
	}
}

func (r *recorder) await(t *testing.T, text string) {
	t.Helper()
	neighbour.Eventually(t, "the subscription tells "+text, func() bool { return r.saw(text) })
}

// TestSubscriptionSurvives loses its server in every way that there is, and hears again afterwards.
func TestSubscriptionSurvives(t *testing.T) {
	server := neighbour.NewRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Address()})
	defer client.Close()
	r := follow(t, client, "news")
	r.await(t, "up")
	f := func(what string, lose, find func() error) {
		t.Helper()
		if err := lose(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r.await(t, "down")
		if err := find(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r.await(t, "up")
		neighbour.Eventually(t, what+": a message is heard", func() bool {
			_ = client.Publish(t.Context(), "news", "hello").Err()
			return r.saw("hello")
		})
	}
	f("killed", func() error { server.Kill(); return nil }, func() error { return server.Start(t.Context()) })
	f("silent", server.Pause, server.Resume)
	f("connection closed", func() error {
		return client.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err()
	}, func() error { return nil })
}
