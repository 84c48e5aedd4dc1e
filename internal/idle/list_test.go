package idle

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdlestGivesWayFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l List[string]
		entries := map[string]*Entry[string]{}
		for _, name := range []string{"a", "b", "c", "d"} {
			entries[name] = l.Add(name)
			time.Sleep(time.Second) // of the bubble's clock
		}
		entries["a"].Use()
		time.Sleep(time.Second)
		entries["b"].Keep()
		entries["b"].Keep()
		var order []string
		for name, ok := l.Pop(); ok; name, ok = l.Pop() {
			order = append(order, name)
		}
		if want := []string{"c", "d", "a", "b"}; !slices.Equal(order, want) {
			t.Errorf("gave way in the order %v, want %v: the idlest guest first, members last", order, want)
		}
		if l.Len() != 0 {
			t.Errorf("%d entries left", l.Len())
		}
	})
}

func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l List[string]
		old, used, member := l.Add("old"), l.Add("used"), l.Add("member")
		member.Keep()
		time.Sleep(time.Minute)
		used.Use()
		got := l.Expired(time.Now().Add(-time.Second))
		if want := []string{"old", "member"}; !slices.Equal(got, want) {
			t.Errorf("expired %v, want %v", got, want)
		}
		if old.Remove() || !used.Remove() || used.Remove() {
			t.Error("removed what was not in the list, or not what was")
		}
		if !used.Used().Equal(time.Now()) {
			t.Errorf("used at %v", used.Used())
		}
	})
}

func TestAll(t *testing.T) {
	var l List[int]
	l.Add(1)
	l.Add(2).Keep()
	if got := l.All(); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("All() = %v", got)
	}
}

func TestListUnderConcurrency(t *testing.T) {
	var l List[string]
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			for range 500 {
				e := l.Add(strconv.Itoa(i))
				e.Use()
				e.Keep()
				if i%2 == 0 {
					l.Pop()
				}
				e.Remove()
			}
		})
	}
	workers.Wait()
	if n := l.Len(); n != 0 {
		t.Errorf("%d entries left", n)
	}
}
