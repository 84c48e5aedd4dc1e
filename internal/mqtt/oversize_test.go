package mqtt

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

const smallestMaxPacket = 1 << 10

// oversized is a message of version 3.1.1 whose packet is larger than a server of a test reads.
func oversized(id uint16, topic string, n int) []byte {
	return publication(packet.V311, id, topic, strings.Repeat("x", n))
}

// TestPassesOverWhatIsTooLarge has a client of version 3.1.1 go on after a message that no server of its can read, however it is cut.
func TestPassesOverWhatIsTooLarge(t *testing.T) {
	f := func(size, piece int) {
		t.Helper()
		inWorld(t, func(c *Config) { c.MaxPacket, c.MaxConnectPacket = smallestMaxPacket, smallestMaxPacket }, func(w *world) {
			w.gateway.publish = hold
			reports := make(chan refusal.Report, 2)
			w.server.OnBroken(func(b Broken) { reports <- b.Report() })
			c, visit := w.admitted(packet.V311)
			before, after := publication(packet.V311, 1, "t", "before"), publication(packet.V311, 3, "t", "after")
			for part := range slices.Chunk(slices.Concat(before, oversized(2, "t/large", size), oversized(0, "t/larger", size+1), after), piece) {
				c.send(part)
			}
			synctest.Wait()
			held := visit.held()
			if len(held) != 2 {
				t.Fatalf("%d messages are published", len(held))
			}
			held[1](Answer{})
			held[0](Answer{})
			c.expect(puback(1), puback(2), puback(3))
			for _, want := range []refusal.Report{{Where: "PUBLISH t/large", Answer: "PUBACK, not stored"}, {Where: "PUBLISH t/larger", Answer: "no answer"}} {
				want.Protocol, want.Remote, want.Outcome, want.Reason = refusal.MQTT, "pipe", outcome.TooLarge, tooLargeText
				if diff := cmp.Diff(want, <-reports); diff != "" {
					t.Error(diff)
				}
			}
			if n := len(visit.conn.in.buf); n != smallBuffer {
				t.Errorf("the connection keeps a buffer of %d bytes", n)
			}
		})
	}
	for _, size := range []int{smallestMaxPacket, 5_000, 70_000, 1 << 20} {
		for _, piece := range []int{100, 4096, 1 << 22} {
			f(size, piece)
		}
	}
	f(smallestMaxPacket, 1)
	f(smallestMaxPacket, 2)
}

// TestDoesNotPassOver has packets that are too large end the connection, where that is told to the client, where closing is wanted,
// and where the packet is no message that the server could have taken if it was smaller.
func TestDoesNotPassOver(t *testing.T) {
	v4, v5 := packet.V311, packet.V5
	f := func(what string, v packet.Version, closing bool, reason packet.Reason, sent []byte) {
		t.Helper()
		inWorld(t, func(c *Config) {
			c.MaxPacket, c.MaxConnectPacket, c.CloseOnRefusal = smallestMaxPacket, smallestMaxPacket, closing
		}, func(w *world) {
			c, visit := w.admitted(v)
			go func() { _, _ = c.link.Write(sent) }() // which nobody may read to its end
			if v == v5 {
				c.expectDisconnect(reason)
			} else {
				c.expectEnd()
			}
			synctest.Wait()
			if diff := cmp.Diff([]End{{Reason: reason}}, visit.ends()); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		})
	}
	f("version 5", v5, false, packet.PacketTooLarge, publication(v5, 1, "t", strings.Repeat("x", smallestMaxPacket)))
	f("closing", v4, true, packet.PacketTooLarge, oversized(1, "t", smallestMaxPacket))
	f("QoS 2", v4, false, packet.QoSNotSupported, frame(0x34, text("t"), number(1), make([]byte, smallestMaxPacket)))
	f("a wildcard", v4, false, packet.MalformedPacket, oversized(1, "#", smallestMaxPacket))
	f("a topic that is too large", v4, false, packet.PacketTooLarge, oversized(1, strings.Repeat("t", smallestMaxPacket), 1))
	f("a topic that is longer than the packet", v4, false, packet.PacketTooLarge, frame(0x32, number(1<<15), make([]byte, smallestMaxPacket)))
	f("another packet", v4, false, packet.PacketTooLarge, frame(0x82, make([]byte, smallestMaxPacket)))
	f("256 MiB", v4, false, packet.PacketTooLarge, []byte{0x32, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, 't', 0, 1})
}
