//go:build integration

package redis

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/test/neighbour"
)

// A subscriber collects what it receives, as channel and text.
type subscriber struct {
	*Channels
	client   redis.UniversalClient
	received chan [2]string
}

func newSubscriber(t *testing.T, mode, url string) *subscriber {
	t.Helper()
	c := DefaultConfig()
	c.Mode, c.URL = mode, url
	client, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	e := &subscriber{client: client, received: make(chan [2]string, 1<<16)}
	e.Channels = NewChannels(client, func(channel, text string) { e.received <- [2]string{channel, text} })
	t.Cleanup(func() { e.Close(); _ = client.Close() })
	return e
}

func (e *subscriber) subscribe(t *testing.T, name string) {
	t.Helper()
	if err := e.Subscribe(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// publish tells how many received it.
func (e *subscriber) publish(t *testing.T, name, text string) int64 {
	t.Helper()
	n, err := Publish(t.Context(), e.client, IsCluster(e.client), name, text).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestChannels(t *testing.T) {
	f := func(mode string, url func(*testing.T) string) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			e := newSubscriber(t, mode, url(t))
			neighbour.Eventually(t, "the server to answer", func() bool {
				_, err := Publish(t.Context(), e.client, IsCluster(e.client), "{x}a", "").Result()
				return err == nil
			})
			if n := e.publish(t, "{x}a", "too early"); n != 0 {
				t.Errorf("%d received it before anybody subscribes", n)
			}
			e.subscribe(t, "{x}a")
			e.subscribe(t, "{x}a")
			e.subscribe(t, "{x}b")
			if n := e.publish(t, "{x}a", "1"); n != 1 {
				t.Errorf("%d heard it, want 1", n)
			}
			if got := <-e.received; got != [2]string{"{x}a", "1"} {
				t.Errorf("heard %v", got)
			}
			e.Unsubscribe("{x}a")
			if n := e.publish(t, "{x}a", "2"); n != 1 {
				t.Errorf("%d heard it after one of two left, want 1", n)
			}
			e.Unsubscribe("{x}a")
			neighbour.Eventually(t, "nobody to hear it", func() bool { return e.publish(t, "{x}a", "3") == 0 })
			e.Unsubscribe("{x}b")
			neighbour.Eventually(t, "the connection to end", func() bool { return e.Len() == 0 && !e.isServing() })
			e.subscribe(t, "{x}a")
			if n := e.publish(t, "{x}a", "4"); n != 1 {
				t.Errorf("%d heard it over a new connection, want 1", n)
			}
		})
	}
	f(Single, func(t *testing.T) string { return neighbour.SharedRedis(t).Database(t) })
	f(Sentinel, func(t *testing.T) string {
		return "redis://" + sentinel(t, neighbour.NewRedis(t)).Address() + "?master_name=main"
	})
	f(Cluster, func(t *testing.T) string { return neighbour.NewRedisCluster(t).URL() })
}

func (c *Channels) isServing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.serving
}

// TestChannelsComeAndGo has the same few channels heard and left by many at once. Whenever Hear has returned, the server knows.
func TestChannelsComeAndGo(t *testing.T) {
	f := func(mode string, url func(*testing.T) string) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			e := newSubscriber(t, mode, url(t))
			var workers sync.WaitGroup
			for w := range 16 {
				workers.Go(func() {
					name := "{x}" + strconv.Itoa(w%3)
					for range 100 {
						if err := e.Subscribe(t.Context(), name); err != nil {
							t.Error(err)
							return
						}
						if n, err := Publish(t.Context(), e.client, IsCluster(e.client), name, "x").Result(); err != nil || n != 1 {
							t.Errorf("%s: %d heard it, %v", name, n, err)
						}
						e.Unsubscribe(name)
					}
				})
			}
			workers.Wait()
			neighbour.Eventually(t, "all to be left", func() bool { return e.Len() == 0 })
		})
	}
	f(Single, func(t *testing.T) string { return neighbour.SharedRedis(t).Database(t) })
	f(Cluster, func(t *testing.T) string { return neighbour.NewRedisCluster(t).URL() })
}

// TestChannelsSurvive loses the server in every way that there is. Each channel is heard again, and one that comes meanwhile.
func TestChannelsSurvive(t *testing.T) {
	const many = 5000
	f := func(mode string, server *neighbour.Redis, url string) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			e := newSubscriber(t, mode, url)
			for i := range many {
				go func() { _ = e.Subscribe(context.Background(), "{x}"+strconv.Itoa(i)) }()
			}
			lost := func(what string, lose, find func() error) {
				t.Helper()
				e.heardAgain(t, what+", before", many)
				if err := lose(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				waiting := make(chan error, 1)
				go func() { waiting <- e.Subscribe(context.Background(), "{x}"+what) }()
				if err := find(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if err := <-waiting; err != nil {
					t.Errorf("%s: %v", what, err)
				}
				e.heardAgain(t, what, many)
			}
			lost("killed", func() error { server.Kill(); return nil }, func() error { return server.Start(t.Context()) })
			lost("silent", server.Pause, server.Resume)
			client := redis.NewClient(&redis.Options{Addr: server.Address()})
			defer client.Close()
			lost("closed", func() error { return client.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err() }, func() error { return nil })
			if mode == Cluster { // the slot goes elsewhere and comes back
				lost("moved", func() error { return client.Do(t.Context(), "CLUSTER", "DELSLOTSRANGE", 0, 16383).Err() },
					func() error { return client.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err() })
			}
		})
	}
	single, clustered := neighbour.NewRedis(t), neighbour.NewRedisCluster(t)
	f(Single, single, single.URL())
	f(Cluster, clustered, clustered.URL())
}

// heardAgain waits until the first and the last channel are heard, and then wants all to be.
func (e *subscriber) heardAgain(t *testing.T, what string, many int) {
	t.Helper()
	neighbour.Eventually(t, what+": all channels to be heard", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, ch := range e.channels {
			if ch.state != subscribed {
				return false
			}
		}
		return len(e.channels) >= many
	})
	for i := range many {
		name := "{x}" + strconv.Itoa(i)
		n, err := Publish(t.Context(), e.client, IsCluster(e.client), name, what).Result()
		if err != nil || n != 1 {
			t.Fatalf("%s: %d heard %s, %v", what, n, name, err)
		}
	}
}

func TestChannelsClose(t *testing.T) {
	e := newSubscriber(t, Single, "redis://127.0.0.1:1")
	waiting := make(chan error)
	go func() { waiting <- e.Subscribe(context.Background(), "x") }()
	neighbour.Eventually(t, "somebody to wait", func() bool { return e.Len() == 1 })
	e.Close()
	if err := <-waiting; err == nil {
		t.Error("what cannot be heard was confirmed")
	}
	if err := e.Subscribe(t.Context(), "y"); err == nil {
		t.Error("heard after the end")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := newSubscriber(t, Single, "redis://127.0.0.1:1").Subscribe(ctx, "z"); err == nil {
		t.Error("what cannot be heard was confirmed")
	}
}
