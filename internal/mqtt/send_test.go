package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// settled notes what becomes of messages.
type settled struct{ results chan error }

func newSettled() *settled { return &settled{make(chan error, 100)} }

func (s *settled) done(err error) { s.results <- err }

func (s *settled) expect(t *testing.T, want ...error) {
	t.Helper()
	synctest.Wait()
	for _, w := range want {
		select {
		case got := <-s.results:
			if !errors.Is(got, w) {
				t.Errorf("settled with %v, want %v", got, w)
			}
		default:
			t.Errorf("not settled, want %v", w)
		}
	}
	if n := len(s.results); n > 0 {
		t.Errorf("%d more are settled", n)
	}
}

func TestSendIsSettledByPuback(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			c, visit := w.admitted(v)
			s := newSettled()
			for _, payload := range []string{"a", "b", "c"} {
				if err := visit.conn.Send(w.Context(), &packet.Publish{Topic: "t", QoS: 1, Payload: []byte(payload)}, s.done); err != nil {
					t.Fatal(err)
				}
			}
			c.expect(publication(v, 1, "t", "a"), publication(v, 2, "t", "b"), publication(v, 3, "t", "c"))
			s.expect(t)
			c.send(frame(0x40, number(2)))
			s.expect(t, nil)
			c.send(frame(0x40, number(1)))
			s.expect(t, nil)
			_ = c.link.Close()
			s.expect(t, ErrEnded)
			if err := visit.conn.Send(w.Context(), &packet.Publish{Topic: "t"}, s.done); !errors.Is(err, ErrEnded) {
				t.Errorf("after the end: %v", err)
			}
		})
	})
}

func TestPubackOfNothingBreaksTheProtocol(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c, _ := w.admitted(packet.V5)
		c.send(frame(0x40, number(2)))
		if got := c.receive(); got[0] != 0xE0 || got[2] != byte(packet.ProtocolError) {
			t.Errorf("% x", got)
		}
	})
}

// A PUBACK that refuses a message settles it.
func TestPubackMayRefuse(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c, visit := w.admitted(packet.V5)
		s := newSettled()
		if err := visit.conn.Send(w.Context(), &packet.Publish{Topic: "t", QoS: 1}, s.done); err != nil {
			t.Fatal(err)
		}
		c.receive()
		c.send(frame(0x40, number(1), []byte{byte(packet.QuotaExceeded)}))
		s.expect(t, nil)
	})
}

// A client that does not acknowledge gets no more than it asked for.
func TestSendWaitsForTheReceiveMaximum(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, id: "me", properties: [][]byte{property(0x21, 0, 2)}}.bytes())
		c.receive()
		conn, s := w.gateway.all()[0].conn, newSettled()
		send := func(ctx context.Context) error {
			return conn.Send(ctx, &packet.Publish{Topic: "t", QoS: 1}, s.done)
		}
		for range 2 {
			if err := send(w.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(w.Context())
		ended := make(chan error)
		go func() { ended <- send(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("without room: %v", err)
		}
		go func() { ended <- send(w.Context()) }()
		c.expect(publication(packet.V5, 1, "t", ""), publication(packet.V5, 2, "t", ""))
		c.send(frame(0x40, number(1)))
		if err := <-ended; err != nil {
			t.Error(err)
		}
		c.expect(publication(packet.V5, 3, "t", ""))
		s.expect(t, nil)
	})
}

// A client that reads nothing holds its sender up, and nothing is lost.
func TestSendWaitsForASlowReader(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c, visit := w.admitted(packet.V311)
		const all = 500
		payload := bytes.Repeat([]byte("x"), 1000)
		sent := 0
		go func() {
			for ; sent < all; sent++ {
				p := &packet.Publish{Topic: "t", Payload: append(fmt.Appendf(nil, "%03d", sent), payload...)}
				if err := visit.conn.Send(context.Background(), p, func(error) {}); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		synctest.Wait()
		if sent > 2*maxDue/len(payload) {
			t.Errorf("%d messages wait for the client", sent)
		}
		for i := range all {
			if got := c.rest(c.receive())[3:6]; string(got) != fmt.Sprintf("%03d", i) {
				t.Fatalf("message %d is %s", i, got)
			}
		}
	})
}

func TestSendOfWhatTheClientDoesNotTakeIsSettled(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, id: "me", properties: [][]byte{property(0x27, 0, 0, 0, 30)}}.bytes())
		c.receive()
		conn, s := w.gateway.all()[0].conn, newSettled()
		for _, size := range []int{30, 3} {
			if err := conn.Send(w.Context(), &packet.Publish{Topic: "t", QoS: 1, Payload: bytes.Repeat([]byte("x"), size)}, s.done); err != nil {
				t.Fatal(err)
			}
		}
		s.expect(t, nil)
		c.expect(publication(packet.V5, 2, "t", "xxx"))
	})
}
