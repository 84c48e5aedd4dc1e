package replay

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/triggers"
)

func (w *world) replay(r Replay) (Tally, error) {
	r.Application, r.To = application, w.to()
	r.Parallel = max(1, r.Parallel)
	return w.Replay(w.Context(), r)
}

func TestReplayPassesOnWhatIsMeant(t *testing.T) {
	f := func(name string, r Replay, want ...string) {
		t.Helper()
		w := newWorld(t)
		w.events(10)
		tally, err := w.replay(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, sorted(w.subscriber.taken())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if int(tally.Delivered) != len(want) || tally.Left != 0 {
			t.Errorf("%s: %+v", name, tally)
		}
	}
	all := strings.Fields("0 1 2 3 4 5 6 7 8 9")
	f("all", Replay{From: Place{Start: true}}, all...)
	f("at once", Replay{From: Place{Start: true}, Options: Options{Parallel: 8}}, all...)
	f("from offsets", Replay{From: Place{Offsets: map[int32]int64{0: 3, 1: 4}}}, "6", "8", "9")
	f("one partition", Replay{From: Place{Offsets: map[int32]int64{1: 3}}}, "7", "9")
	f("up to offsets", Replay{From: Place{Start: true}, Until: Place{Offsets: map[int32]int64{0: 1, 1: 2}}}, "0", "1", "3")
	f("rate", Replay{From: Place{Start: true}, Options: Options{Rate: 10_000}}, all...)
}

func TestReplayKeepsTheOrderOfAPartition(t *testing.T) {
	w := newWorld(t)
	w.events(600)
	if _, err := w.replay(Replay{From: Place{Offsets: map[int32]int64{0: 0}}}); err != nil {
		t.Fatal(err)
	}
	for i, id := range w.subscriber.taken() {
		if want := i * 2; id != itoa(want) {
			t.Fatalf("%s came in place of %d", id, want)
		}
	}
}

func TestDryRunDeliversNothing(t *testing.T) {
	w := newWorld(t)
	w.events(6)
	w.produce(&kgo.Record{Topic: event.Topic(application), Value: []byte("no event")})
	tally, err := w.replay(Replay{From: Place{Start: true}, Resume: "try", Options: Options{DryRun: true}})
	if err != nil {
		t.Fatal(err)
	}
	if tally.Delivered != 6 || tally.Invalid != 1 || len(w.subscriber.taken()) != 0 || len(w.kept()) != 0 {
		t.Errorf("%+v, delivered %v, kept %v", tally, w.subscriber.taken(), w.kept())
	}
}

func TestFilterOfTheTriggerCounts(t *testing.T) {
	w := newWorld(t)
	w.events(4)
	filter, err := triggers.Compile(&triggers.Trigger{Spec: triggers.TriggerSpec{Filter: &triggers.Attributes{Attributes: map[string]string{"id": "3"}}}})
	if err != nil {
		t.Fatal(err)
	}
	to := w.to()
	to.Filter = filter
	for _, dry := range []bool{true, false} {
		tally, err := w.Replay(t.Context(), Replay{Options: Options{Application: application, DryRun: dry}, From: Place{Start: true}, To: to})
		if err != nil || tally.Delivered != 1 || tally.Filtered != 3 {
			t.Errorf("dry %v: %+v, %v", dry, tally, err)
		}
	}
}

func TestRecordsThatAreNoEventsAreSkipped(t *testing.T) {
	w := newWorld(t)
	w.produce(&kgo.Record{Topic: event.Topic(application), Value: []byte("no event")})
	w.events(2)
	tally, err := w.replay(Replay{From: Place{Start: true}})
	if err != nil || tally.Delivered != 2 || tally.Invalid != 1 {
		t.Errorf("%+v, %v", tally, err)
	}
}

// What could not be delivered is where the next run begins.
func TestReplayStopsAtAFailureAndGoesOnThere(t *testing.T) {
	f := func(name string, next func(*Stop) Replay, resume string) {
		t.Helper()
		w := newWorld(t)
		w.events(20)
		w.subscriber.judge(func(id string) int {
			if id == "7" || id == "10" {
				return http.StatusBadRequest
			}
			return http.StatusOK
		})
		_, err := w.replay(Replay{From: Place{Start: true}, Resume: resume})
		var stop *Stop
		if !errors.As(err, &stop) || !strings.Contains(err.Error(), "could not be delivered") || !strings.Contains(err.Error(), "400") {
			t.Fatalf("%s: %v", name, err)
		}
		w.events(2) // after the end of the first run
		w.subscriber.judge(nil)
		if _, err := w.replay(next(stop)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		counts := map[string]int{}
		for _, id := range w.subscriber.taken() {
			counts[id]++
		}
		for i := range 20 {
			if counts[itoa(i)] == 0 {
				t.Errorf("%s: %d is lost", name, i)
			}
		}
		if resume != "" && (counts["0"] != 1 || len(w.kept()) != 0) {
			t.Errorf("%s: the second run did not end where the first was to, or left something: %v, %v", name, counts, w.kept())
		}
	}
	f("by its position", func(*Stop) Replay { return Replay{Resume: "mend"} }, "mend")
	f("by its place", func(s *Stop) Replay { return Replay{From: s.At} }, "")
}

func TestReplayGoesOnAfterFailures(t *testing.T) {
	w := newWorld(t)
	w.events(5)
	w.subscriber.judge(func(id string) int {
		if id == "2" {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	var failed []string
	tally, err := w.replay(Replay{From: Place{Start: true}, SkipFailed: true, Options: Options{Problem: func(id string, _ error) { failed = append(failed, id) }}})
	if err != nil || tally.Delivered != 4 || tally.Failed != 1 {
		t.Errorf("%+v, %v", tally, err)
	}
	if diff := cmp.Diff([]string{"2"}, failed); diff != "" {
		t.Error(diff)
	}
}

func TestInterruptedReplayGoesOn(t *testing.T) {
	w := newWorld(t)
	const all = 400
	w.events(all)
	ctx, interrupt := context.WithCancel(t.Context())
	w.subscriber.judge(func(id string) int {
		if id == "200" {
			interrupt()
		}
		return http.StatusOK
	})
	first := Replay{Options: Options{Application: application, Parallel: 4}, From: Place{Start: true}, To: w.to(), Resume: "again"}
	_, err := w.Replay(ctx, first)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if unfinished, err := w.Unfinished(t.Context(), application, "again"); err != nil || !unfinished {
		t.Errorf("unfinished is %v, %v", unfinished, err)
	}
	before := len(w.subscriber.taken())
	tally, err := w.replay(Replay{Resume: "again"})
	if err != nil || int(tally.Delivered) != all-before {
		t.Errorf("%d were delivered before; then %+v, %v", before, tally, err)
	}
	seen := map[string]bool{}
	for _, id := range w.subscriber.taken() {
		seen[id] = true
	}
	if len(seen) != all {
		t.Errorf("%d of %d came", len(seen), all)
	}
}

func TestReplayOfNothing(t *testing.T) {
	w := newWorld(t)
	f := func(name string, r Replay, want string) {
		t.Helper()
		r.To = w.to()
		_, err := w.Replay(t.Context(), r)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	f("no topic", Replay{Options: Options{Application: "other"}, From: Place{Start: true}}, `"other" has no topic events-other`)
	f("no partition", Replay{Options: Options{Application: application}, From: Place{Offsets: map[int32]int64{9: 0}}}, "no partition 9")
	f("nowhere", Replay{Options: Options{Application: application}, Resume: "new"}, "where to begin")
}
