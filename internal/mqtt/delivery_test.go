package mqtt

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

func TestDeliver(t *testing.T) {
	f := func(v packet.Version, p packet.Publish, want []byte) {
		t.Helper()
		inWorld(t, nil, func(w *world) {
			c, visit := w.admitted(v)
			payload := []byte("on")
			p.Payload = payload
			visit.conn.Deliver(&p)
			copy(payload, "xx") // it was copied
			c.expect(want)
		})
	}
	f(packet.V311, packet.Publish{Topic: "t", QoS: 1, PacketID: 7, ContentType: "text/plain", SubscriptionIDs: []uint32{5}},
		frame(0x30, text("t"), []byte("on")))
	f(packet.V5, packet.Publish{Topic: "t", QoS: 1, Dup: true, TopicAlias: 1}, frame(0x30, text("t"), properties(), []byte("on")))
	f(packet.V5, packet.Publish{Topic: "t", ContentType: "a/b", SubscriptionIDs: []uint32{5, 300}},
		frame(0x30, text("t"), properties(property(3, text("a/b")...), property(0x0B, 5), property(0x0B, 0xAC, 2)), []byte("on")))
}

func TestDeliverRespectsPacketLimit(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, id: "me", properties: [][]byte{property(0x27, 0, 0, 0, 30)}}.bytes())
		c.receive()
		visit := w.gateway.all()[0]
		deliver := func(size int, want bool) {
			if got := visit.conn.Deliver(&packet.Publish{Topic: "t", Payload: bytes.Repeat([]byte("x"), size)}); got != want {
				t.Errorf("a message of %d bytes: taken %v", size, got)
			}
		}
		deliver(25, false) // 31 bytes all in all
		deliver(24, true)
		c.expect(frame(0x30, text("t"), properties(), bytes.Repeat([]byte("x"), 24)))
		if n := w.server.metrics.droppedTooLarge.Load(); n != 1 {
			t.Errorf("%d messages were counted as too large", n)
		}
	})
}

// The oldest messages give way when a client reads slowly.
func TestSlowReaderOfDeliveries(t *testing.T) {
	inWorld(t, func(c *Config) { c.DeliveryQueue = 3 }, func(w *world) {
		c, visit := w.admitted(packet.V311)
		for i := range 10 {
			visit.conn.Deliver(&packet.Publish{Topic: "t", Payload: fmt.Append(nil, i)})
			synctest.Wait() // the first one is being written, and does not end
		}
		var got []string
		for range 4 {
			p := c.receive()
			got = append(got, string(p[5:]))
		}
		if diff := cmp.Diff([]string{"0", "7", "8", "9"}, got); diff != "" {
			t.Error(diff)
		}
		if n := w.server.metrics.droppedSlow.Load(); n != 6 {
			t.Errorf("%d messages were counted as dropped", n)
		}
	})
}

func TestDeliveriesAreBoundedInBytes(t *testing.T) {
	inWorld(t, func(c *Config) { c.DeliveryQueue, c.DeliveryBytes = 1000, 100_000 }, func(w *world) {
		c, visit := w.admitted(packet.V311)
		for i := range 100 {
			visit.conn.Deliver(&packet.Publish{Topic: "t", Payload: bytes.Repeat(fmt.Append(nil, i%10), 10_000)})
			synctest.Wait()
			visit.conn.mu.Lock()
			if bytes := visit.conn.out.deliveries.bytes; bytes > 100_000 {
				t.Fatalf("%d bytes wait", bytes)
			}
			visit.conn.mu.Unlock()
		}
		visit.conn.Deliver(&packet.Publish{Topic: "t", Payload: make([]byte, 100_001)}) // never fits
		for _, want := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} {
			if got := c.receive(); string(got[len(got)-1]) != want {
				t.Errorf("got message %c, want %s", got[len(got)-1], want)
			}
		}
		if slow, large := w.server.metrics.droppedSlow.Load(), w.server.metrics.droppedTooLarge.Load(); slow != 90 || large != 1 {
			t.Errorf("%d messages were dropped as old, %d as too large", slow, large)
		}
	})
}

// Deliveries that wait together leave together, after the answers that are due.
func TestDeliveriesAreCoalesced(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c, visit := w.admitted(packet.V311)
		link := visit.conn.link.(*tap)
		before := link.writes.Load()
		payload := func(i int) []byte { return fmt.Appendf(nil, "%0300d", i) }
		for i := range 20 {
			visit.conn.Deliver(&packet.Publish{Topic: "t", Payload: payload(i)})
		}
		for i := range 20 {
			c.expect(frame(0x30, text("t"), payload(i)))
		}
		if n := link.writes.Load() - before; n > 2 {
			t.Errorf("20 messages took %d writes", n)
		}
	})
}

func TestDeliveriesQueue(t *testing.T) {
	var d deliveries
	next, want := 0, 0
	for round := range 200 {
		for range round % 7 {
			d.push([]byte{byte(next)})
			next++
		}
		for range min(d.len(), round%5) {
			if got := d.pop(); got[0] != byte(want) {
				t.Fatalf("got %d, want %d", got[0], byte(want))
			}
			want++
		}
		if d.len() != next-want || d.bytes != next-want || cap(d.queue) > 1024 {
			t.Fatalf("%d wait, %d bytes, room for %d", d.len(), d.bytes, cap(d.queue))
		}
	}
	for d.len() > 0 {
		d.pop()
	}
	if d.queue != nil || d.oldest() != nil {
		t.Error("an empty queue takes memory")
	}
}

// A client that reads nothing is disconnected after the write timeout, however much it sends, and what is kept for it is
// bounded.
func TestClientThatReadsNothing(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			c, visit := w.admitted(v)
			started := time.Now()
			most := 0
			for {
				if _, err := c.link.Write(bytes.Repeat([]byte{0xC0, 0}, 5000)); err != nil {
					break
				}
				visit.conn.mu.Lock()
				most = max(most, len(visit.conn.out.due))
				visit.conn.mu.Unlock()
			}
			if took := time.Since(started); took < w.config.WriteTimeout || took > 2*w.config.WriteTimeout {
				t.Errorf("disconnected after %v", took)
			}
			if most > maxDue+2 {
				t.Errorf("%d bytes of answers were kept", most)
			}
			synctest.Wait()
			if diff := cmp.Diff([]End{{Reason: packet.UnspecifiedError}}, visit.ends()); diff != "" {
				t.Error(diff)
			}
		})
	})
}

// The write deadline passes now and then without anything being written; that harms nobody.
func TestRareDeliveries(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, keepAlive: 1000, id: "me"}.bytes())
		c.receive()
		visit := w.gateway.all()[0]
		for _, pause := range []time.Duration{0, 4, 6, 12, 16, 60, 400} {
			time.Sleep(pause * time.Second) // in the bubble
			visit.conn.Deliver(&packet.Publish{Topic: "t"})
			c.expect(frame(0x30, text("t"), properties()))
		}
	})
}

func TestReasonStringsAreLeftOutWhereTheyDoNotFit(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		long := strings.Repeat("x", 100)
		w.gateway.publish = func(_ *visit, _ *packet.Publish, done func(Answer)) {
			done(Answer{Reason: packet.QuotaExceeded, Text: long})
		}
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, id: "me", properties: [][]byte{property(0x27, 0, 0, 0, 90)}}.bytes())
		c.receive()
		c.send(publication(packet.V5, 1, "t", "x"))
		c.expect(frame(0x40, number(1), []byte{0x97}))
		w.gateway.all()[0].conn.Disconnect(packet.NotAuthorized, long)
		c.expect(frame(0xE0, []byte{0x87}))
		c.expectEnd()
	})
}

func TestNoProblemInformation(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.gateway.publish = func(_ *visit, _ *packet.Publish, done func(Answer)) {
			done(Answer{Reason: packet.QuotaExceeded, Text: "why"})
		}
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, id: "me", properties: [][]byte{property(0x17, 0)}}.bytes())
		c.receive()
		c.send(publication(packet.V5, 1, "t", "x"), frame(0xC1))
		c.expect(frame(0x40, number(1), []byte{0x97}), frame(0xE0, []byte{0x81}))
		c.expectEnd()
	})
}

// A delivery before the CONNACK waits for it.
func TestEarlyDelivery(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.gateway.connect = func(_ context.Context, c *Conn, _ *packet.Connect) error {
			c.Deliver(&packet.Publish{Topic: "t"})
			return nil
		}
		c, _ := w.admitted(packet.V311)
		c.expect(frame(0x30, text("t")))
	})
}
