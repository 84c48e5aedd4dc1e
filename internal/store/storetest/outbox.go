package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

func testOutbox(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	for i := range 3 {
		s.applyDevice(fmt.Sprintf(`{"metadata":{"name":"d","application":"app","labels":{"i":"%d"}}}`, i))
	}
	all := s.pending()
	if len(all) != 4 {
		t.Fatalf("%d entries, want 4", len(all))
	}
	for i, entry := range all {
		if i > 0 && (entry.Seq <= all[i-1].Seq || entry.Change.Revision != uint64(i)) {
			t.Errorf("entry %d is out of order: %+v", i, entry)
		}
		if entry.Created.IsZero() {
			t.Errorf("entry %d has no time", i)
		}
	}
	f := func(limit int, want []store.Entry) {
		t.Helper()
		got, err := s.Pending(t.Context(), limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Pending(%d) (-want +got):\n%s", limit, diff)
		}
	}
	f(2, all[:2])
	f(0, nil)
	f(-1, nil)
	for range 2 { // acknowledging twice does no harm
		if err := s.Sent(t.Context(), all[0].Seq, all[2].Seq); err != nil {
			t.Fatal(err)
		}
	}
	f(10, []store.Entry{all[1], all[3]})
	if err := s.Sent(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Sent(t.Context(), all[1].Seq, all[3].Seq); err != nil {
		t.Fatal(err)
	}
	// Numbers are not used again.
	s.applyDevice(`{"metadata":{"name":"d","application":"app"}}`)
	if next := s.pending(); len(next) != 1 || next[0].Seq <= all[3].Seq {
		t.Errorf("after the outbox was emptied: %+v", next)
	}
}

func testRollback(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d1","application":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d2","application":"app"},"spec":{"alias":["a"]}}`)
	s.forget()
	before := s.device("app", "d2")
	// The conflict shows only after the document itself was written.
	_, err := s.ApplyDevice(t.Context(), device(t, `{"metadata":{"name":"d2","application":"app"},"spec":{"alias":["b","d1"]}}`))
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("error %v, want ErrConflict", err)
	}
	s.want(nil)
	if diff := cmp.Diff(before, s.device("app", "a")); diff != "" {
		t.Errorf("the document changed:\n%s", diff)
	}
	s.noDevice("app", "b")
}
