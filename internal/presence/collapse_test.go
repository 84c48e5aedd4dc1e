package presence

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// TestCollapse lets random sessions of one device come and go without anybody storing their events, and looks at what is
// left in the outbox each time.
func TestCollapse(t *testing.T) {
	i := newInstallation(t, "redis://"+miniredis.RunT(t).Addr())
	i.config.Outbox = 32
	l := newLedger(&i.config, i.client(), i.name)
	if _, err := l.beat(t.Context(), "NODE-0", 1, false, 0); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	tracker := &Tracker{config: i.config}
	var held *Lease
	var head []string
	for n := range 400 {
		if held == nil || random.IntN(3) == 0 {
			var w *Will
			if random.IntN(3) > 0 {
				w = will("w", strconv.Itoa(n))
			}
			next, err := tracker.newLease(session("d"), w, nil)
			if err != nil {
				t.Fatal(err)
			}
			next.begun = time.Now().UnixMicro()
			if _, err := l.claim(t.Context(), "NODE-0", next); err != nil {
				t.Fatal(err)
			}
			held = next
		} else {
			end := ending{member: held.member(), epoch: held.epoch.String(), time: time.Now(), fire: random.IntN(2) == 0}
			if changes, err := l.end(t.Context(), "NODE-0", false, []ending{end}); err != nil || changes[0].verdict != ended {
				t.Fatalf("ending: %v, %v", changes, err)
			}
			held = nil
		}
		outbox := l.client.LRange(t.Context(), l.keys.outbox(member("app", "d")), 0, -1).Val()
		if len(outbox) > i.config.Outbox {
			t.Fatalf("%d events wait", len(outbox))
		}
		var events []recorded
		for _, text := range outbox {
			e, err := decodeEntry(text)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, recorded{id: e.epoch.id(e.kind), what: describe(e.message()), time: e.time})
		}
		alternate(t, events)
		if last := events[len(events)-1].what; (last == "true") != (held != nil) {
			t.Fatalf("the last event is %s", last)
		}
		// What somebody may be storing stays as it is.
		spared := outbox[:min(len(outbox), eventBatch)]
		for k := range head {
			if spared[k] != head[k] {
				t.Fatalf("event %d of those that are spared is another one", k)
			}
		}
		head = spared
	}
}
