package mqtt

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

func puback(id uint16) []byte { return frame(0x40, number(id)) }

// Whatever the order of the answers, clients get them in the order of what they published.
func TestPubacksAreInOrder(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			w.gateway.publish = hold
			c, visit := w.admitted(v)
			for id := uint16(1); id <= 5; id++ {
				c.send(publication(v, id, "t", "x"), publication(v, 0, "t", "x"))
			}
			c.send(frame(0xC0))
			c.expect([]byte{0xD0, 0}) // which does not wait for them
			held := visit.held()
			for _, i := range []int{8, 9, 4, 1, 2} { // the messages 5, 3, 2, and two of QoS 0
				held[i](Answer{})
			}
			synctest.Wait()
			if c.in.Buffered() > 0 {
				t.Error("something was acknowledged")
			}
			held[0](Answer{})
			c.expect(puback(1), puback(2), puback(3))
			held[6](Answer{})
			c.expect(puback(4), puback(5))
			for _, i := range []int{3, 5, 7} {
				held[i](Answer{})
			}
			if n := w.server.metrics.inFlight.Load(); n != 0 {
				t.Errorf("%d messages are counted as in flight", n)
			}
		})
	})
}

func TestPubackRefuses(t *testing.T) {
	f := func(a Answer, want []byte) {
		t.Helper()
		inWorld(t, nil, func(w *world) {
			w.gateway.publish = func(_ *visit, _ *packet.Publish, done func(Answer)) { done(a) }
			c, _ := w.admitted(packet.V5)
			c.send(publication(packet.V5, 7, "t", "x"))
			c.expect(want)
			c.send(publication(packet.V5, 0, "t", "x"), frame(0xC0)) // QoS 0 has no answer
			c.expect([]byte{0xD0, 0})
		})
	}
	f(Answer{Reason: packet.NotAuthorized}, frame(0x40, number(7), []byte{0x87}))
	f(Answer{Reason: packet.PayloadFormatInvalid, Text: "no JSON"}, frame(0x40, number(7), []byte{0x99}, properties(property(0x1F, text("no JSON")...))))
	f(Answer{Reason: packet.NoMatchingSubscribers}, frame(0x40, number(7), []byte{0x10}))
}

// Where the protocol has no words for a refusal, the connection ends, after what came before has been acknowledged.
func TestRefusalEndsConnection(t *testing.T) {
	f := func(v packet.Version, a Answer, want ...[]byte) {
		t.Helper()
		inWorld(t, nil, func(w *world) {
			w.gateway.publish = hold
			c, visit := w.admitted(v)
			for id := uint16(1); id <= 3; id++ {
				c.send(publication(v, id, "t", "x"))
			}
			synctest.Wait()
			held := visit.held()
			held[1](a)
			held[2](Answer{})
			held[0](Answer{})
			c.expect(puback(1))
			c.expect(want...)
			c.expectEnd()
			synctest.Wait()
			if diff := cmp.Diff([]End{{Reason: a.Reason}}, visit.ends()); diff != "" {
				t.Error(diff)
			}
		})
	}
	f(packet.V311, Answer{Reason: packet.NotAuthorized})
	f(packet.V311, Answer{Reason: packet.QuotaExceeded})
}

// TestFinalRefusal has a message refused that can never be taken. Version 3.1.1 has no words for that: the client must be able to
// go on with the next one.
func TestFinalRefusal(t *testing.T) {
	f := func(v packet.Version, bad string, closing bool, want ...[]byte) {
		t.Helper()
		inWorld(t, func(c *Config) { c.CloseOnRefusal = closing }, func(w *world) {
			w.gateway.publish = func(_ *visit, p *packet.Publish, done func(Answer)) {
				switch string(p.Payload) {
				case "bad":
					done(Answer{Reason: packet.NotAuthorized, Final: true})
				case "large":
					done(Answer{Reason: packet.PacketTooLarge, Final: true})
				default:
					done(Answer{})
				}
			}
			c, _ := w.admitted(v)
			c.send(publication(v, 1, "t", "x"), publication(v, 2, "t", bad), publication(v, 3, "t", "x"))
			c.expect(want...)
			if closing && v != packet.V5 {
				c.expectEnd()
			}
		})
	}
	for _, bad := range []string{"bad", "large"} {
		f(packet.V311, bad, false, puback(1), puback(2), puback(3))
		f(packet.V311, bad, true, puback(1))
	}
	f(packet.V5, "bad", false, puback(1), frame(0x40, number(2), []byte{0x87}), puback(3))
	f(packet.V5, "bad", true, puback(1), frame(0x40, number(2), []byte{0x87}), puback(3))
}

func TestRefusedQoS0IsDropped(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			w.gateway.publish = func(_ *visit, _ *packet.Publish, done func(Answer)) { done(Answer{Reason: packet.PacketTooLarge}) }
			c, _ := w.admitted(v)
			c.send(publication(v, 0, "t", "x"), frame(0xC0))
			c.expect([]byte{0xD0, 0})
		})
	})
}

func TestReceiveMaximum(t *testing.T) {
	inWorld(t, func(c *Config) { c.ReceiveMaximum = 3 }, func(w *world) {
		w.gateway.publish = hold
		c, visit := w.admitted(packet.V5)
		for id := uint16(1); id <= 3; id++ {
			c.send(publication(packet.V5, id, "t", "x"))
		}
		synctest.Wait()
		visit.held()[0](Answer{})
		c.expect(puback(1))
		c.send(publication(packet.V5, 4, "t", "x")) // again three are in flight
		c.send(publication(packet.V5, 5, "t", "x"))
		c.expectDisconnect(packet.ReceiveMaximumExceeded)
		if n := len(visit.messages()); n != 4 {
			t.Errorf("the session got %d messages", n)
		}
	})
}

// A client that cannot be told how much may be in flight waits, and so does QoS 0.
func TestBackPressureByWindow(t *testing.T) {
	f := func(v packet.Version, qos uint16) {
		t.Helper()
		inWorld(t, func(c *Config) { c.ReceiveMaximum = 3 }, func(w *world) {
			w.gateway.publish = hold
			c, visit := w.admitted(v)
			sent := make(chan bool)
			go func() {
				for i := range uint16(10) {
					c.send(publication(v, qos*(i+1), "t", strings.Repeat("x", 300)))
				}
				close(sent)
			}()
			acknowledged := make(chan bool)
			go func() {
				for i := range uint16(10) * qos {
					c.expect(puback(i + 1))
				}
				close(acknowledged)
			}()
			for got := 3; got <= 10; got++ {
				synctest.Wait()
				if n := len(visit.messages()); n != got {
					t.Fatalf("the session got %d messages, want %d", n, got)
				}
				waiting := visit.held()
				waiting[0](Answer{})
				visit.mu.Lock()
				visit.waiting = append(waiting[1:], visit.waiting...)
				visit.mu.Unlock()
			}
			<-sent
			for _, done := range visit.held() {
				done(Answer{})
			}
			<-acknowledged
		})
	}
	f(packet.V311, 1)
	f(packet.V311, 0)
	f(packet.V5, 0)
}

// While the session blocks, nothing is read.
func TestBackPressureBySession(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		release := make(chan bool)
		w.gateway.publish = func(_ *visit, _ *packet.Publish, done func(Answer)) {
			<-release
			done(Answer{})
		}
		c, visit := w.admitted(packet.V5)
		written := 0
		go func() {
			for range 20 {
				if _, err := c.link.Write(publication(packet.V5, 0, "t", strings.Repeat("x", 300))); err != nil {
					return
				}
				written++
			}
		}()
		synctest.Wait()
		if n := len(visit.messages()); n != 1 || written > 1 {
			t.Errorf("%d messages were written and %d handed over", written, n)
		}
		close(release)
		synctest.Wait()
		if n := len(visit.messages()); n != 20 {
			t.Errorf("%d messages arrived", n)
		}
	})
}

func TestDisconnectWhileWindowIsFull(t *testing.T) {
	inWorld(t, func(c *Config) { c.ReceiveMaximum = 1 }, func(w *world) {
		w.gateway.publish = hold
		c, visit := w.admitted(packet.V311)
		c.send(publication(packet.V311, 1, "t", "x"), publication(packet.V311, 2, "t", "x"))
		synctest.Wait()
		visit.conn.Disconnect(packet.NotAuthorized, "")
		c.expectEnd()
		synctest.Wait()
		if ends := visit.ends(); len(ends) != 1 {
			t.Errorf("ended: %v", ends)
		}
		visit.held()[0](Answer{}) // which nobody waits for
	})
}

// Answers that come together leave together.
func TestPubacksAreCoalesced(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.gateway.publish = hold
		c, visit := w.admitted(packet.V5)
		var want []byte
		for id := uint16(1); id <= 50; id++ {
			c.send(publication(packet.V5, id, "t", "x"))
			want = append(want, puback(id)...)
		}
		synctest.Wait()
		link := visit.conn.link.(*tap)
		before := link.writes.Load()
		for _, done := range visit.held() {
			done(Answer{})
		}
		got := make([]byte, 0, len(want))
		for len(got) < len(want) {
			got = append(got, c.receive()...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("got % x", got)
		}
		if n := link.writes.Load() - before; n > 2 {
			t.Errorf("50 answers took %d writes", n)
		}
	})
}

func TestTopicAliases(t *testing.T) {
	inWorld(t, func(c *Config) { c.TopicAliasMaximum, c.TopicAliasBytes = 2, 10 }, func(w *world) {
		c, visit := w.admitted(packet.V5)
		alias := func(n byte) []byte { return property(0x23, 0, n) }
		c.send(
			publication(5, 0, "first", "1", alias(2)),
			publication(5, 0, "", "2", alias(2)),
			publication(5, 0, "other", "3"),
			publication(5, 0, "third", "4", alias(1)),
			publication(5, 0, "", "5", alias(2)),
			publication(5, 0, "again", "6", alias(2)), // replaces
			publication(5, 0, "again", "7", alias(2)), // repeats
			publication(5, 0, "", "8", alias(2)),
			publication(5, 0, "", "9", alias(1)),
			frame(0xC0),
		)
		c.expect([]byte{0xD0, 0})
		want := []string{"first 1", "first 2", "other 3", "third 4", "first 5", "again 6", "again 7", "again 8", "third 9"}
		if diff := cmp.Diff(want, visit.messages()); diff != "" {
			t.Error(diff)
		}
		c.send(publication(5, 0, "longer", "10", alias(1)))
		c.expectDisconnect(packet.QuotaExceeded)
	})
}

func TestNoTopicAliases(t *testing.T) {
	inWorld(t, func(c *Config) { c.TopicAliasMaximum = 0 }, func(w *world) {
		c, _ := w.admitted(packet.V5)
		c.send(publication(5, 0, "first", "1", property(0x23, 0, 1)))
		c.expectDisconnect(packet.TopicAliasInvalid)
	})
}

// Messages from several buffers arrive whole and in order, however they are cut.
func TestMessagesOfEverySize(t *testing.T) {
	small := []int{0, 1, 100, 200, 250, 251, 252, 253, 254, 255, 256, 300, 4000, 3}
	large := append(small, 4090, 4096, 5000, 16_000, 16_384, 20_000, 70_000, 131_000, 3)
	for piece, sizes := range map[int][]int{1: small, 7: small, 256: large, 4096: large, 1 << 20: large} {
		inWorld(t, nil, func(w *world) {
			c, visit := w.admitted(packet.V311)
			var stream []byte
			var want []string
			for i, size := range sizes {
				payload := strings.Repeat(fmt.Sprint(i%10), size)
				stream = append(stream, publication(packet.V311, 0, "t", payload)...)
				want = append(want, "t "+payload)
			}
			stream = append(stream, 0xC0, 0)
			go func() {
				for len(stream) > 0 {
					n := min(piece, len(stream))
					c.send(stream[:n])
					stream = stream[n:]
				}
			}()
			c.expect([]byte{0xD0, 0})
			if diff := cmp.Diff(want, visit.messages()); diff != "" {
				t.Errorf("pieces of %d bytes: messages differ", piece)
			}
			synctest.Wait()
			if n := len(visit.conn.in.buf); n != smallBuffer {
				t.Errorf("an idle connection has a buffer of %d bytes", n)
			}
		})
	}
}

// Answers come from many goroutines at once; no message is acknowledged twice, or never.
func TestAnswersFromEverywhere(t *testing.T) {
	s := NewServer(DefaultConfig(), &gateway{publish: func(_ *visit, _ *packet.Publish, done func(Answer)) { go done(Answer{}) }}, nil)
	address := listenTCP(t, s)
	var wait sync.WaitGroup
	for range 8 {
		c := dial(t, address, packet.V5)
		wait.Go(func() {
			for id := uint16(1); id <= 2000; id += 50 {
				var batch, want []byte
				for i := range uint16(50) {
					batch = append(batch, publication(packet.V5, id+i, "t", "x")...)
					want = append(want, puback(id+i)...)
				}
				c.send(batch)
				var got []byte
				for len(got) < len(want) {
					p, err := c.next()
					if err != nil {
						t.Error(err)
						return
					}
					got = append(got, p...)
				}
				if !bytes.Equal(got, want) {
					t.Error("acknowledgements are out of order")
				}
			}
		})
	}
	wait.Wait()
	if n := s.metrics.inFlight.Load(); n != 0 {
		t.Errorf("%d messages are counted as in flight", n)
	}
}
