package replay

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/triggers"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (w *world) list(s Selection) (ids []string) {
	w.Helper()
	_, err := w.Letters(w.Context(), application, s, func(l Letter) error { ids = append(ids, l.ID); return nil })
	if err != nil {
		w.Error(err)
	}
	return ids
}

func (w *world) redeliver(s Selection) Tally {
	w.Helper()
	tally, err := w.Redeliver(w.Context(), Redelivery{Options: Options{Application: application, Parallel: 1}, Selection: s, Policy: w.to().Policy})
	if err != nil {
		w.Error(err)
	}
	return tally
}

func TestLetterSaysWhy(t *testing.T) {
	w := newWorld(t)
	w.produce(letter("a", "http://h/x", "400", "no \xff temperature\n", "ce_device", "d", "ce_subject", "state"))
	var got []Letter
	invalid, err := w.Letters(t.Context(), application, Selection{}, func(l Letter) error { got = append(got, l); return nil })
	if err != nil || invalid != 0 || len(got) != 1 || time.Since(got[0].Time) > time.Hour {
		t.Fatalf("%v, %v, %d", got, err, invalid)
	}
	got[0].Time = time.Time{}
	want := Letter{
		ID: "a", Source: "/s", Type: "t", Subject: "state", Device: "d", Subscriber: "http://h/x", Code: "400", Reason: "no · temperature",
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
}

func TestSelection(t *testing.T) {
	w := newWorld(t)
	w.produce(
		letter("a", "http://one/", "400", "x", "ce_device", "d1"), letter("b", "http://two/", "500", "x", "ce_device", "d2"),
		letter("c", "http://two/", "", ""),
	)
	f := func(name string, s Selection, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, w.list(s)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f("all", Selection{}, "a", "b", "c")
	f("ids", Selection{IDs: []string{"a", "c"}}, "a", "c")
	f("codes", Selection{Codes: []string{"500", NoCode}}, "b", "c")
	f("subscriber", Selection{Subscriber: "two"}, "b", "c")
	f("device", Selection{Device: "d1"}, "a")
	f("since", Selection{Since: time.Now().Add(time.Hour)})
	f("both", Selection{Codes: []string{"500"}, Subscriber: "one"})
}

func TestRedeliveredLettersAreListedNoMore(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"a", "b", "c", "d"} {
		w.produce(letter(id, w.subscriber.URL, "400", "x"))
	}
	if tally := w.redeliver(Selection{IDs: []string{"b"}}); tally.Delivered != 1 {
		t.Errorf("%+v", tally)
	}
	if diff := cmp.Diff([]string{"a", "c", "d"}, w.list(Selection{})); diff != "" {
		t.Error(diff)
	}
	w.subscriber.judge(func(id string) int {
		if id == "c" {
			return http.StatusBadRequest
		}
		return http.StatusOK
	})
	if tally := w.redeliver(Selection{}); tally.Delivered != 2 || tally.Failed != 1 {
		t.Errorf("%+v", tally)
	}
	if diff := cmp.Diff([]string{"c"}, w.list(Selection{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d"}, w.list(Selection{Redelivered: true})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"b", "a", "d"}, w.subscriber.taken()); diff != "" {
		t.Error(diff)
	}
	for _, header := range w.subscriber.all {
		for name := range header {
			if strings.HasPrefix(name, "Ce-Knativeerror") {
				t.Errorf("%s was sent", name)
			}
		}
	}
}

func TestRedeliveryToAnother(t *testing.T) {
	w := newWorld(t)
	w.produce(letter("a", "", "400", "x"), letter("b", "file:///etc/passwd", "400", "x"))
	if tally := w.redeliver(Selection{}); tally.Failed != 2 {
		t.Errorf("%+v", tally)
	}
	to := w.to()
	tally, err := w.Redeliver(t.Context(), Redelivery{Options: Options{Application: application}, To: &to})
	if err != nil || tally.Delivered != 2 {
		t.Errorf("%+v, %v", tally, err)
	}
}

func TestPoisonAmongLettersIsCountedOnce(t *testing.T) {
	w := newWorld(t)
	w.produce(&kgo.Record{Topic: event.DeadLetterTopic(application), Value: []byte("no event")}, letter("a", w.subscriber.URL, "400", "x"))
	if tally := w.redeliver(Selection{}); tally.Delivered != 1 || tally.Invalid != 1 {
		t.Errorf("%+v", tally)
	}
	if tally := w.redeliver(Selection{}); tally != (Tally{}) {
		t.Errorf("a second time: %+v", tally)
	}
}

func TestDryRedelivery(t *testing.T) {
	w := newWorld(t)
	w.produce(letter("a", w.subscriber.URL, "400", "x"))
	tally, err := w.Redeliver(t.Context(), Redelivery{Options: Options{Application: application, DryRun: true}, Policy: triggers.Policy{}})
	if err != nil || tally.Delivered != 1 || len(w.subscriber.taken()) != 0 || len(w.list(Selection{})) != 1 {
		t.Errorf("%+v, %v", tally, err)
	}
}

func TestNoLetters(t *testing.T) {
	w := newWorld(t)
	_, err := w.Letters(t.Context(), "other", Selection{}, func(Letter) error { return nil })
	if err != nil {
		t.Error(err)
	}
	tally, err := w.Redeliver(t.Context(), Redelivery{Options: Options{Application: "other"}})
	if err != nil || tally != (Tally{}) {
		t.Errorf("%+v, %v", tally, err)
	}
}

func TestListEndsWithTheErrorOfItsReader(t *testing.T) {
	w := newWorld(t)
	var many []*kgo.Record
	for i := range 2 * batch {
		many = append(many, letter(itoa(i), "http://h/", "400", "x"))
	}
	w.produce(many...)
	broken := errors.New("broken pipe")
	n := 0
	_, err := w.Letters(t.Context(), application, Selection{}, func(Letter) error { n++; return broken })
	if !errors.Is(err, broken) || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}
