package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/store"
)

func testExclusive(t *testing.T, s *suite) { Exclusive(t, s.Store) }

// Exclusive checks that the stores, which have the same database, run functions of one name one at a time.
func Exclusive(t *testing.T, stores ...*store.Store) {
	const each = 4
	var inside, runs atomic.Int32
	var running sync.WaitGroup
	for _, s := range stores {
		for range each {
			running.Go(func() {
				err := s.Exclusive(t.Context(), "work", func(context.Context) error {
					if inside.Add(1) > 1 {
						t.Error("two run at once")
					}
					runs.Add(1)
					_, err := s.Position(t.Context(), "work") // which takes a while, and another connection
					inside.Add(-1)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	running.Wait()
	if want := int32(each * len(stores)); runs.Load() != want {
		t.Errorf("%d functions ran, of %d", runs.Load(), want)
	}
	mustWait(t, stores[0], stores[len(stores)-1])
}

// mustWait has a function wait for one of another store, no longer than its context lasts.
func mustWait(t *testing.T, first, second *store.Store) {
	t.Helper()
	failed := errors.New("failed")
	err := first.Exclusive(t.Context(), "work", func(context.Context) error {
		waiting, stop := context.WithCancel(t.Context())
		stop()
		if err := second.Exclusive(waiting, "work", func(context.Context) error { t.Error("two run at once"); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a function that waits no longer: %v", err)
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("the error of the function is not given: %v", err)
	}
	if err := second.Exclusive(t.Context(), "work", func(context.Context) error { return nil }); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
