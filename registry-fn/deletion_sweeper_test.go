package registryfn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/registry"
)

// steps is a store that has so many steps to go, and fails at some of them.
type steps struct {
	mu    sync.Mutex
	left  int
	fails []int
	at    []time.Time
}

func (s *steps) Sweep(context.Context) ([]registry.Change, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
	if slices.Contains(s.fails, len(s.at)) {
		return nil, true, errors.New("away")
	}
	if s.left == 0 {
		return nil, false, nil
	}
	s.left--
	return []registry.Change{{Application: fmt.Sprint("app-", s.left)}}, s.left > 0, nil
}

func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &steps{left: 5, fails: []int{3}}
		caches := &redis{}
		c := testConfig()
		k := NewDeletionSweeper(c, store, changes.New(changes.DefaultConfig(), nil, caches, nowhere{}, nil), nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		started := time.Now()
		go func() {
			defer close(done)
			k.Run(ctx)
		}()
		time.Sleep(3*c.SweepInterval + time.Second)
		stop()
		<-done
		// Two steps, a failure; after an interval the other three; after another one nothing.
		var at []time.Duration
		for _, moment := range store.at {
			at = append(at, moment.Sub(started)/c.SweepInterval)
		}
		if want := []time.Duration{1, 1, 1, 2, 2, 2, 3}; !slices.Equal(at, want) {
			t.Errorf("steps after %v intervals, want %v", at, want)
		}
		if !caches.heard("app-4/") || !caches.heard("app-0/") {
			t.Errorf("Redis heard of %q", caches.names)
		}
	})
}

// A deletion that takes longer than a request may is answered when it has begun, and ends all the same.
func TestLongDeletion(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	for i := range 501 {
		d := &registry.Device{Metadata: registry.Metadata{Name: fmt.Sprintf("d%d", i), Application: "app-1", Finalizers: []string{"f"}}}
		if _, err := w.store.ApplyDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	w.ok("alice", "DELETE", app, "")
	for i := range 501 {
		d := &registry.Device{Metadata: registry.Metadata{Name: fmt.Sprintf("d%d", i), Application: "app-1"}}
		if _, err := w.store.ApplyDevice(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	k := NewDeletionSweeper(testConfig(), w.store, w.relay, nil)
	for k.sweep(t.Context()) {
	}
	w.as("alice", "GET", app, "").want(t, 404, "")
	if !w.redis.heard("app-1/d500") {
		t.Error("Redis has not heard of it")
	}
}
