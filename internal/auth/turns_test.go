package auth

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// queued has tenants wait for turns, in an order, and tells in which order they get them. A turn that is refused is "-tenant".
type queued struct {
	t     *turns
	mu    sync.Mutex
	order []string
	done  sync.WaitGroup
}

// wait has one wait, who gives its turn back at once.
func (q *queued) wait(ctx context.Context, tenant string) {
	q.done.Go(func() {
		got := q.t.take(ctx, tenant)
		q.mu.Lock()
		if q.order = append(q.order, tenant); !got {
			q.order[len(q.order)-1] = "-" + tenant
		}
		q.mu.Unlock()
		if got {
			q.t.give(tenant, 0)
		}
	})
	synctest.Wait()
}

func (q *queued) expect(t *testing.T, want ...string) {
	t.Helper()
	q.done.Wait()
	synctest.Wait()
	if !slices.Equal(q.order, want) {
		t.Errorf("turns of %v, want %v", q.order, want)
	}
}

func TestTurnsGoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{t: newTurns(1, 1, 100)}
		if !q.t.take(t.Context(), "holder") {
			t.Fatal("no free slot")
		}
		for range 3 {
			q.wait(t.Context(), "many")
		}
		q.wait(t.Context(), "one")
		q.wait(t.Context(), "two")
		q.t.give("holder", 0)
		q.expect(t, "many", "one", "two", "many", "many")
		if q.t.free != 1 || q.t.waiting != 0 || len(q.t.lines) != 0 || len(q.t.held) != 0 {
			t.Errorf("left behind: %+v", q.t)
		}
	})
}

// Who comes while somebody of a tenant that never stops has the slot is next.
func TestTurnsPassToSomebodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{t: newTurns(1, 1, 100)}
		if !q.t.take(t.Context(), "many") {
			t.Fatal("no free slot")
		}
		for range 2 {
			q.wait(t.Context(), "many")
		}
		q.wait(t.Context(), "one")
		q.t.give("many", 0)
		q.expect(t, "one", "many", "many")
	})
}

// A tenant whose slot was used in vain leaves as much time to others, and none of its turns is lost.
func TestTurnsRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{t: newTurns(1, 1, 100)}
		if !q.t.take(t.Context(), "guessed") {
			t.Fatal("no free slot")
		}
		for range 2 {
			q.wait(t.Context(), "guessed")
		}
		began := time.Now()
		q.t.give("guessed", time.Second)
		q.wait(t.Context(), "one")
		q.expect(t, "one", "guessed", "guessed")
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("rested for %v", waited)
		}
		if q.t.free != 1 || q.t.waiting != 0 || len(q.t.held) != 0 || len(q.t.lines) != 0 {
			t.Errorf("left behind: %+v", q.t)
		}
	})
}

func TestTurnsKeepSharesFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{t: newTurns(3, 2, 100)}
		for range 2 {
			q.t.take(t.Context(), "greedy")
		}
		q.wait(t.Context(), "greedy") // waits for one of its own
		if q.t.full("greedy") {
			t.Error("one more may wait")
		}
		q.wait(t.Context(), "other") // and this one does not
		q.t.give("greedy", 0)
		q.expect(t, "other", "greedy")
	})
}

// At the bound of all who wait, the longest line gives up its last one for a shorter one, and not for one as long.
func TestTurnsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{t: newTurns(1, 1, 3)}
		q.t.take(t.Context(), "holder")
		for range 3 {
			q.wait(t.Context(), "many")
		}
		if !q.t.full("many") || q.t.full("one") {
			t.Errorf("full: many %v, one %v", q.t.full("many"), q.t.full("one"))
		}
		q.wait(t.Context(), "many") // no room
		q.wait(t.Context(), "one")  // takes that of the last of many
		q.wait(t.Context(), "one")  // has as many as it would take from
		q.t.give("holder", 0)
		q.expect(t, "-many", "-many", "-one", "many", "one", "many")
	})
}

func TestTurnsEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queued{t: newTurns(1, 1, 2)}
		q.t.take(t.Context(), "holder")
		ctx, cancel := context.WithCancel(t.Context())
		q.wait(ctx, "impatient")
		q.wait(t.Context(), "patient")
		cancel()
		synctest.Wait()
		q.t.give("holder", 0)
		q.expect(t, "-impatient", "patient")
		if q.t.free != 1 || q.t.waiting != 0 {
			t.Errorf("left behind: %+v", q.t)
		}
	})
}

// However takes, gives and ends of contexts meet, no slot is lost and none is held by two.
func TestTurnsUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slots = 3
		all := newTurns(slots, 2, 16)
		var held, most, got atomic.Int64
		var working sync.WaitGroup
		for i := range 64 {
			working.Go(func() {
				tenant := string(rune('a' + i%5))
				for range 200 {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*10*time.Microsecond)
					if all.take(ctx, tenant) {
						now := held.Add(1)
						for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
						}
						got.Add(1)
						held.Add(-1)
						all.give(tenant, time.Duration(i%3)*time.Microsecond)
					}
					cancel()
				}
			})
		}
		working.Wait()
		time.Sleep(time.Second) // of the test's clock: the last rest is over
		synctest.Wait()
		if most.Load() > slots || got.Load() == 0 || all.free != slots || all.waiting != 0 || len(all.held) != 0 || len(all.lines) != 0 {
			t.Errorf("%d at once, %d turns, left behind: %+v", most.Load(), got.Load(), all)
		}
	})
}

func TestShares(t *testing.T) {
	s := newShares(2)
	f := func(tenant string, want bool) {
		t.Helper()
		if got := s.enter(tenant); got != want {
			t.Errorf("%s enters: %v", tenant, got)
		}
	}
	f("a", true)
	f("a", true)
	f("a", false)
	f("b", true)
	s.leave("a")
	f("a", true)
	f("a", false)
	s.leave("a")
	s.leave("a")
	s.leave("b")
	if len(s.held) != 0 {
		t.Errorf("left behind: %v", s.held)
	}
	if one := newShares(0); !one.enter("a") || one.enter("a") {
		t.Error("a share is at least one")
	}
}
