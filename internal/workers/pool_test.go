package workers

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
)

func TestEveryTaskRunsOnce(t *testing.T) {
	const tasks = 10_000
	p := NewPool(t.Context(), 4)
	var mu sync.Mutex
	runs := map[int]int{}
	var all sync.WaitGroup
	for i := range tasks {
		all.Add(1)
		p.Go(func() {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			runs[i]++
		})
	}
	all.Wait()
	for i := range tasks {
		if runs[i] != 1 {
			t.Fatalf("task %d ran %d times", i, runs[i])
		}
	}
}

func TestNoTaskWaitsForAnother(t *testing.T) {
	p := NewPool(t.Context(), 1)
	const tasks = 100
	var together sync.WaitGroup
	together.Add(tasks)
	for range tasks {
		p.Go(func() {
			together.Done()
			together.Wait() // for all of them
		})
	}
	together.Wait()
}

func TestGoroutinesAreKeptWithinABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := NewPool(ctx, 2)
		release := make(chan struct{})
		for range 5 {
			p.Go(func() { <-release })
		}
		close(release)
		synctest.Wait()
		if n := p.idle.Load(); n != 2 {
			t.Errorf("%d goroutines wait", n)
		}
		p.Go(func() {}) // by one of those
		synctest.Wait()
		if n := p.idle.Load(); n != 2 {
			t.Errorf("%d goroutines wait after another task", n)
		}
		cancel()
		synctest.Wait()
		if n := p.idle.Load(); n != 0 {
			t.Errorf("%d goroutines wait after the end", n)
		}
		ran := false
		p.Go(func() { ran = true })
		synctest.Wait()
		if !ran {
			t.Error("a task that came after the end did not run")
		}
	})
}
