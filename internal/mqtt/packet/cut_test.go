package packet

import (
	"slices"
	"testing"
)

// A sample is a well-formed packet of a client. Cut to a length that is in whole it is still one.
type sample struct {
	name  string
	kind  Type
	flags byte
	body  []byte
	v     Version
	whole []int
}

// samples have every field that their packet can have.
func samples() []sample {
	message := attributed()
	message.Payload = []byte("payload")
	h, n, _ := ParseHeader(message.Append(nil, V5))
	publish := message.Append(nil, V5)[n:]
	plain := raw("a/b", uint16(7), []byte("payload"))
	will := props(0x18, uint32(5), user("w", ""), 0x01, 1, 0x02, uint32(60), 0x03, "text/plain", 0x08, "r/t", 0x09, "corr")
	reason := raw(uint16(1), 0x00, props(0x1F, "why", user("a", "b")))
	return []sample{
		{"CONNECT", CONNECT, 0, connect(V311, 0xF6, "c", "w", "x", "u", "p"), V311, nil},
		{"CONNECT", CONNECT, 0, connect(V5, 0xF6, props(0x11, uint32(1), 0x21, uint16(9), 0x27, uint32(1000), 0x22, uint16(3), 0x19, 1,
			0x17, 0, 0x15, "SCRAM", 0x16, "data", user("b", "2")), "c", will, "w", "x", "u", "p"), V5, nil},
		{"PUBLISH", PUBLISH, 2, plain, V311, span(len(plain)-7, len(plain))},
		{"PUBLISH", PUBLISH, h.Flags, publish, V5, span(len(publish)-7, len(publish))},
		{"PUBACK", PUBACK, 0, raw(uint16(1)), V311, nil},
		{"PUBACK", PUBACK, 0, reason, V5, []int{2, 3}},
		{"PUBREC", PUBREC, 0, reason, V5, []int{2, 3}},
		{"PUBREL", PUBREL, 2, reason, V5, []int{2, 3}},
		{"PUBCOMP", PUBCOMP, 0, reason, V5, []int{2, 3}},
		{"SUBSCRIBE", SUBSCRIBE, 2, raw(uint16(1), "a/b", 0, "#", 1), V311, []int{2 + 6}},
		{"SUBSCRIBE", SUBSCRIBE, 2, raw(uint16(1), props(0x0B, 0x80, 0x01, user("a", "b")), "a/b", 0, "$share/g/#", 1), V5, []int{2 + 11 + 6}},
		{"UNSUBSCRIBE", UNSUBSCRIBE, 2, raw(uint16(1), "a/b", "#"), V311, []int{2 + 5}},
		{"UNSUBSCRIBE", UNSUBSCRIBE, 2, raw(uint16(1), props(user("a", "b")), "a/b", "$share/g/#"), V5, []int{2 + 8 + 5}},
		{"DISCONNECT", DISCONNECT, 0, raw(0x04, props(0x11, uint32(9), 0x1F, "why", user("a", "b"))), V5, []int{0, 1}},
		{"AUTH", AUTH, 0, raw(0x18, props(0x15, "m", 0x16, "data", 0x1F, "why", user("a", "b"))), V5, nil},
	}
}

func span(from, to int) []int {
	var list []int
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

// TestCutPackets cuts every packet at every byte. It is never taken for a packet that it is not.
func TestCutPackets(t *testing.T) {
	for _, s := range samples() {
		if _, err := decode(s.kind, s.flags, s.body, s.v); err != nil {
			t.Errorf("%s, version %d: %v", s.name, s.v, err)
		}
		for cut := range s.body {
			_, err := decode(s.kind, s.flags, slices.Clip(s.body[:cut]), s.v)
			if reasonOf(t, err) == Success != slices.Contains(s.whole, cut) {
				t.Errorf("%s, version %d, cut to %d of %d bytes: %v", s.name, s.v, cut, len(s.body), err)
			}
		}
	}
}

// TestLongPackets have a byte more than their fields, where that is not payload.
func TestLongPackets(t *testing.T) {
	for _, s := range samples() {
		_, err := decode(s.kind, s.flags, append(slices.Clip(s.body), 0), s.v)
		if reasonOf(t, err) != MalformedPacket && s.kind != PUBLISH {
			t.Errorf("%s, version %d: %v", s.name, s.v, err)
		}
	}
}

// TestBrokenBytes sets every byte of every packet to every value. Whatever is decoded can be read.
func TestBrokenBytes(t *testing.T) {
	for _, s := range samples() {
		for i, original := range s.body {
			for value := range 256 {
				s.body[i] = byte(value)
				if p, err := decode(s.kind, s.flags, s.body, s.v); reasonOf(t, err) == Success {
					inspect(t, p)
				}
			}
			s.body[i] = original
		}
	}
}
