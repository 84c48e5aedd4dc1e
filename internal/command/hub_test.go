package command

import (
	"slices"
	"strconv"
	"sync"
	"testing"
)

func listen(t *testing.T, h *Hub, f Filter, deliver func(Command) bool) *Listener {
	t.Helper()
	l, err := h.Listen(t.Context(), f, deliver)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFilters(t *testing.T) {
	own := Command{Application: "a", Gateway: "gw", Device: "gw", Name: "x"}
	proxied := Command{Application: "a", Gateway: "gw", Device: "d", Name: "x"}
	other := Command{Application: "a", Gateway: "gw", Device: "e", Name: "x"}
	elsewhere := Command{Application: "b", Gateway: "gw", Device: "gw", Name: "x"}
	direct := Command{Application: "a", Gateway: "d", Device: "d", Name: "x"}
	f := func(filter Filter, want ...Command) {
		t.Helper()
		h := NewHub()
		var got []Command
		filter.Application, filter.Gateway = "a", "gw"
		listen(t, h, filter, func(c Command) bool { got = append(got, c); return true })
		for _, c := range []Command{own, proxied, other, elsewhere, direct} {
			h.Deliver(c)
		}
		if !slices.EqualFunc(got, want, func(a, b Command) bool {
			return a.Application == b.Application && a.Gateway == b.Gateway && a.Device == b.Device
		}) {
			t.Errorf("filter %+v got %v, want %v", filter, got, want)
		}
	}
	f(Filter{Scope: Own}, own)
	f(Filter{Scope: One, Device: "d"}, proxied)
	f(Filter{Scope: One, Device: "gw"}, own)
	f(Filter{Scope: All}, own, proxied, other)
}

func TestDeliverTellsHowManyListened(t *testing.T) {
	h := NewHub()
	c := Command{Application: "a", Gateway: "d", Device: "d"}
	if got := h.Deliver(c).Taken(); got != 0 {
		t.Errorf("nobody listens, reached %d", got)
	}
	first := listen(t, h, Filter{Application: "a", Gateway: "d", Scope: All}, func(Command) bool { return true })
	listen(t, h, Filter{Application: "a", Gateway: "d"}, func(Command) bool { return true })
	if got := h.Deliver(c).Taken(); got != 2 {
		t.Errorf("two listen, reached %d", got)
	}
	first.Close()
	first.Close()
	if got := h.Deliver(c).Taken(); got != 1 {
		t.Errorf("one listens, reached %d", got)
	}
	if got := h.len(); got != 1 {
		t.Errorf("%d devices listen, want 1", got)
	}
}

func TestQueueDropsTheOldest(t *testing.T) {
	q := NewHub().NewQueue(3)
	for i := range 5 {
		q.Put(Command{Name: strconv.Itoa(i)})
	}
	for _, want := range []string{"2", "3", "4"} {
		if got := <-q.C(); got.Name != want {
			t.Errorf("got %s, want %s", got.Name, want)
		}
	}
}

func TestHubUnderConcurrency(t *testing.T) {
	h := NewHub()
	var workers sync.WaitGroup
	for i := range 8 {
		device := strconv.Itoa(i % 3)
		workers.Go(func() {
			for range 200 {
				q := h.NewQueue(1)
				l := listen(t, h, Filter{Application: "a", Gateway: device}, q.Put)
				h.Deliver(Command{Application: "a", Gateway: device, Device: device})
				<-q.C()
				l.Close()
			}
		})
	}
	workers.Wait()
	if got := h.len(); got != 0 {
		t.Errorf("%d devices listen after all have closed", got)
	}
}
