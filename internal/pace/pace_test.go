package pace

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// tolerated is how late the process of a test may be.
const tolerated = 20 * time.Millisecond

func TestTurnsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(500, 26, tolerated)
		started := time.Now()
		var wait sync.WaitGroup
		for range 1025 {
			wait.Go(func() {
				if err := p.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		// 26 turns are given at once.
		if took := time.Since(started); took < 1997*time.Millisecond || took > 1999*time.Millisecond {
			t.Errorf("1025 turns at 500 per second took %v", took)
		}
		time.Sleep(time.Hour) // in the bubble
		before := time.Now()
		for range 26 {
			if err := p.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("a few turns after a quiet time took %v", took)
		}
	})
}

func TestCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1, 1, tolerated)
		ctx, cancel := context.WithCancel(t.Context())
		if err := p.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for range 31 {
			wait.Go(func() { _ = p.Wait(ctx) })
		}
		synctest.Wait()
		if err := p.Wait(t.Context()); !errors.Is(err, ErrCrowded) {
			t.Errorf("with 31 seconds to wait: %v", err)
		}
		cancel()
		wait.Wait()
		if n := p.waiting.Load(); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(1, 1, tolerated)
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, holds := range []string{"the next turn", "no turn"} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who holds %s: %v", holds, err)
			}
			cancel()
		}
	})
}

// TestRateFollowsLateness goes through what a pace sees.
func TestRateFollowsLateness(t *testing.T) {
	p := New(1000, 2000, tolerated)
	f := func(what string, limit rate.Limit, since, late time.Duration, want rate.Limit) {
		t.Helper()
		if got := p.adjusted(limit, since, late); math.Abs(float64(got-want)) > 1e-9 {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	f("punctual", 1000, look, 0, 1000)
	f("tolerated", 1000, look, tolerated, 1000)
	f("late", 1000, look, tolerated+1, 800)
	f("late and slow", 210, look, time.Second, 200)
	f("as slow as it gets", 200, time.Hour, time.Second, 200)
	f("punctual again", 200, look, time.Millisecond, 201)
	f("after two looks", 200, 2*look, 0, 200*1.005*1.005)
	f("after a quiet time", 200, time.Hour, 0, 1000)
	f("almost as before", 999, look, 0, 1000)

	p.set(400)
	if p.limiter.Limit() != 400 || p.limiter.Burst() != 5 {
		t.Errorf("slow: %v a second, %d at once", p.limiter.Limit(), p.limiter.Burst())
	}
	p.set(1000)
	if p.limiter.Limit() != 1000 || p.limiter.Burst() != 2000 {
		t.Errorf("as before: %v a second, %d at once", p.limiter.Limit(), p.limiter.Burst())
	}
}

// TestWhoWaitsIsSlowedDown: a rate that falls counts for those who wait already.
func TestWhoWaitsIsSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(100, 1, tolerated)
		p.last = time.Now().Add(time.Hour) // nobody looks
		started := time.Now()
		var wait sync.WaitGroup
		for range 101 {
			wait.Go(func() { _ = p.Wait(t.Context()) })
		}
		synctest.Wait()
		p.set(10)
		wait.Wait()
		if took := time.Since(started); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("101 turns at 10 per second took %v", took)
		}
	})
}
