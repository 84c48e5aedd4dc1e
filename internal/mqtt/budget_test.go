package mqtt

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestBudgetConfigNamesTheBadField(t *testing.T) {
	f := func(c BudgetConfig, want string) {
		t.Helper()
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want+": ") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(BudgetConfig{0, 1 << 20}, "maxInFlight")
	f(BudgetConfig{1, 1000}, "maxInFlightBytes")
	if c := DefaultBudgetConfig(); c.Validate() != nil {
		t.Error(c.Validate())
	}
}

func TestBudget(t *testing.T) {
	f := func(messages, bytes int, sizes []int, wantTaken int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			waits := 0
			b := newBudget(BudgetConfig{messages, bytes})
			b.waited = func() { waits++ }
			taken := make(chan int64, len(sizes))
			for _, size := range sizes { // one after the other, to have an order
				go func() { taken <- b.Take(size) }()
				synctest.Wait()
			}
			if len(taken) != wantTaken || waits != len(sizes)-wantTaken {
				t.Errorf("%d taken, %d waited; want %d taken", len(taken), waits, wantTaken)
			}
			for range sizes {
				b.Give(<-taken)
				synctest.Wait()
			}
			if messages, bytes := b.Spent(); messages != 0 || bytes != 0 {
				t.Errorf("at the end %d messages and %d bytes are spent", messages, bytes)
			}
		})
	}
	const k = 1 << 10
	f(3, 100*k, []int{0, 0, 0}, 3)
	f(3, 100*k, []int{0, 0, 0, 0, 0}, 3)
	f(9, 4*k, []int{k, k, k}, 2)
	f(9, 4*k, []int{2 * k, 2 * k, 0}, 1) // the small one does not overtake
	f(9, 4*k, []int{100 * k, 0}, 1)      // larger than all there is
}

func TestBudgetUnderConcurrency(t *testing.T) {
	const messages = 3
	b := newBudget(BudgetConfig{messages, 1 << 20})
	var spending atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 500 {
				bytes := b.Take(10)
				if spending.Add(1) > messages {
					t.Error("more is spent than there is")
				}
				spending.Add(-1)
				b.Give(bytes)
			}
		})
	}
	all.Wait()
	if left, bytes := b.Spent(); left != 0 || bytes != 0 {
		t.Errorf("%d messages, %d bytes are still spent", left, bytes)
	}
}
