package fairshare

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A crowd is who has places.
type crowd struct {
	*testing.T
	room   *Room
	places map[string][]*Place // by application and device, the oldest first
	gone   []string
}

func newCrowd(t *testing.T, size int) *crowd {
	return &crowd{T: t, room: NewRoom(size), places: map[string][]*Place{}}
}

func (c *crowd) enter(of, name string) bool {
	c.Helper()
	who := of + "/" + name
	p, ok := c.room.Enter(of, name, func() {
		c.gone = append(c.gone, who)
		c.places[who] = c.places[who][1:]
	})
	if ok {
		c.places[who] = append(c.places[who], p)
	}
	return ok
}

func (c *crowd) want(entered, ok bool, gone ...string) {
	c.Helper()
	if entered != ok || fmt.Sprint(c.gone) != fmt.Sprint(gone) {
		c.Errorf("entered: %t, gave way: %v; want %t, %v", entered, c.gone, ok, gone)
	}
	c.gone = nil
}

func TestWhoHasTheMostGivesWay(t *testing.T) {
	c := newCrowd(t, 4)
	for range 4 {
		c.want(c.enter("a", "x"), true)
	}
	c.want(c.enter("a", "x"), false)
	c.want(c.enter("a", "y"), true, "a/x")
	c.want(c.enter("b", "z"), true, "a/x")
	c.want(c.enter("a", "y"), false) // x has one more only
	c.want(c.enter("b", "z"), true, "a/x")
	c.want(c.enter("b", "z"), false)
	c.want(c.enter("a", "x"), false)
	if !c.enter("c", "z") || len(c.gone) != 1 {
		t.Errorf("gave way: %v", c.gone)
	}
	if n := c.room.Len(); n != 4 {
		t.Errorf("%d places are taken", n)
	}
}

func TestLeave(t *testing.T) {
	c := newCrowd(t, 2)
	c.want(c.enter("a", "x"), true)
	c.want(c.enter("a", "x"), true)
	old := c.places["a/x"][0]
	c.want(c.enter("b", "y"), true, "a/x")
	old.Leave() // it has none any more
	if n := c.room.Len(); n != 2 {
		t.Errorf("%d places are taken", n)
	}
	for range 2 {
		c.places["a/x"][0].Leave()
	}
	c.want(c.enter("b", "y"), true)
	if _, ok := NewRoom(0).Enter("a", "x", nil); ok {
		t.Error("there is a place in a room of none")
	}
}

// TestBounds has many come and go: there are never more places than there may be, and those of everybody are counted right.
func TestBounds(t *testing.T) {
	c := newCrowd(t, 50)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		who := [2]string{string(rune('a' + r.IntN(3))), string(rune('k' + r.IntN(9)))}
		if key := who[0] + "/" + who[1]; r.IntN(3) == 0 && len(c.places[key]) > 0 {
			c.places[key][0].Leave()
			c.places[key] = c.places[key][1:]
		} else {
			c.enter(who[0], who[1])
		}
		taken := 0
		for _, all := range c.places {
			taken += len(all)
		}
		if taken != c.room.Len() || taken > 50 {
			t.Fatalf("%d places are taken, %d counted", taken, c.room.Len())
		}
	}
	for _, all := range c.places {
		for _, p := range all {
			p.Leave()
		}
	}
	if len(c.room.applications)+len(c.room.fullest)+c.room.Len() != 0 {
		t.Error("something is left of a room that all have left")
	}
}
