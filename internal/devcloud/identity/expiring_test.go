package identity

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"
)

func TestTakeIsForOne(t *testing.T) {
	m := newExpiringMap[int](10, time.Hour)
	m.Add("a", 1)
	var taken atomic.Int32
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			if value, ok := m.take("a"); ok && value == 1 {
				taken.Add(1)
			}
		})
	}
	running.Wait()
	if taken.Load() != 1 {
		t.Errorf("taken %d times", taken.Load())
	}
	if _, ok := m.take("b"); ok {
		t.Error("what is not there was taken")
	}
}

func TestExpiringMapIsBounded(t *testing.T) {
	m := newExpiringMap[int](2, time.Hour)
	for n, key := range []string{"a", "b", "c"} {
		m.Add(key, n)
	}
	if _, ok := m.Get("a"); ok || m.Len() != 2 {
		t.Errorf("%d values, the oldest there: %t", m.Len(), ok)
	}
}

func TestValuesExpire(t *testing.T) {
	m := newExpiringMap[int](2, 100*time.Millisecond)
	m.Add("a", 1)
	neighbour.Eventually(t, "the end of a value", func() bool { _, ok := m.Get("a"); return !ok })
	m.Add("b", 1)
	neighbour.Eventually(t, "the end of another", func() bool { _, ok := m.take("b"); return !ok })
}
