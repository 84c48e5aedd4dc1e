package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/store"
)

func (s *suite) relay(limit int, send func([]store.Entry) []int64) store.Relayed {
	s.t.Helper()
	done, err := s.Relay(s.t.Context(), limit, func(_ context.Context, entries []store.Entry) []int64 { return send(entries) })
	if err != nil {
		s.t.Fatal(err)
	}
	return done
}

func seqs(entries []store.Entry) []int64 {
	var all []int64
	for _, entry := range entries {
		all = append(all, entry.Seq)
	}
	return all
}

func (s *suite) fill(n int) []store.Entry {
	s.t.Helper()
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	for i := range n - 1 {
		s.applyDevice(fmt.Sprintf(`{"metadata":{"name":"d","application":"app"},"spec":{"i":%d}}`, i))
	}
	return s.pending()
}

func testRelay(t *testing.T, s *suite) {
	if done := s.relay(10, func([]store.Entry) []int64 { t.Error("nothing was sent"); return nil }); done != (store.Relayed{}) {
		t.Errorf("an empty outbox: %+v", done)
	}
	all := s.fill(5)
	f := func(limit int, want store.Relayed, left []store.Entry, send func([]store.Entry) []int64) {
		t.Helper()
		if got := s.relay(limit, send); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if diff := cmp.Diff(left, s.pending()); diff != "" {
			t.Errorf("left in the outbox (-want +got):\n%s", diff)
		}
		if n, err := s.Waiting(t.Context(), 3); err != nil || n != min(len(left), 3) {
			t.Errorf("%d are waiting, %v, of %d", n, err, len(left))
		}
	}
	f(2, store.Relayed{Read: 2, Sent: 2}, all[2:], func(some []store.Entry) []int64 {
		if diff := cmp.Diff(all[:2], some); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		return seqs(some)
	})
	f(10, store.Relayed{Read: 3}, all[2:], func([]store.Entry) []int64 { return nil })
	f(10, store.Relayed{Read: 3, Sent: 1}, []store.Entry{all[2], all[4]}, func(some []store.Entry) []int64 { return seqs(some[1:2]) })
	f(10, store.Relayed{Read: 2, Sent: 2}, nil, seqs)
}

func testRelayingAtOnce(t *testing.T, s *suite) {
	s.fill(3)
	inside, leave := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		_, err := s.Relay(t.Context(), 10, func(_ context.Context, some []store.Entry) []int64 {
			close(inside)
			<-leave
			return seqs(some)
		})
		first <- err
	}()
	<-inside
	if done := s.relay(10, func([]store.Entry) []int64 { t.Error("two relay at once"); return nil }); !done.Busy {
		t.Errorf("while another one relays: %+v", done)
	}
	// Writers do not wait for it.
	s.applyDevice(`{"metadata":{"name":"e","application":"app"}}`)
	close(leave)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if left := s.pending(); len(left) != 1 || left[0].Change.Device != "e" {
		t.Errorf("left in the outbox: %+v", left)
	}
	if done := s.relay(10, seqs); done.Busy || done.Sent != 1 {
		t.Errorf("afterwards: %+v", done)
	}
}

func testRelayAgain(t *testing.T, s *suite) {
	all := s.fill(4)
	// A process that is being stopped still notes what it has sent.
	ctx, stop := context.WithCancel(t.Context())
	done, err := s.Relay(ctx, 10, func(_ context.Context, some []store.Entry) []int64 {
		stop()
		return seqs(some[:1])
	})
	if err != nil || done.Sent != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := s.Relay(ctx, 10, func(context.Context, []store.Entry) []int64 { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a relay that begins after its end: %v", err)
	}
	// What dies in the middle of sending has not removed anything.
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Relay(t.Context(), 10, func(context.Context, []store.Entry) []int64 { panic("dead") })
	}()
	var again []int64
	s.relay(10, func(some []store.Entry) []int64 { again = seqs(some); return again })
	if want := seqs(all[1:]); !slices.Equal(again, want) {
		t.Errorf("sent again: %v, want %v", again, want)
	}
}

func testPositions(t *testing.T, s *suite) {
	f := func(work, want string) {
		t.Helper()
		if got, err := s.Position(t.Context(), work); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	f("one", "")
	for _, after := range []string{"b", "c", ""} {
		if err := s.SetPosition(t.Context(), "one", after); err != nil {
			t.Fatal(err)
		}
		f("one", after)
		f("two", "")
	}
}
