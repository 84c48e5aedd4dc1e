package packet

import (
	"bytes"
	"slices"
	"testing"
)

func TestAckDecode(t *testing.T) {
	f := func(body []byte, v Version, want Ack) {
		t.Helper()
		var got Ack
		if err := got.Decode(body, v); err != nil || got != want {
			t.Errorf("Decode(% x) = %+v, %v; want %+v", body, got, err, want)
		}
	}
	f(raw(uint16(1)), V311, Ack{PacketID: 1})
	f(raw(uint16(258)), V5, Ack{PacketID: 258})
	f(raw(uint16(3), 0x10), V5, Ack{PacketID: 3, Reason: NoMatchingSubscribers})
	f(raw(uint16(4), 0x92, props()), V5, Ack{PacketID: 4, Reason: PacketIDNotFound})
	f(raw(uint16(5), 0x97, props(0x1F, "full", user("a", "b"))), V5, Ack{PacketID: 5, Reason: QuotaExceeded})
	f(raw(uint16(6), 0x00, props(user("a", "b"), 0x1F, "", user("a", "b"))), V5, Ack{PacketID: 6})
}

func TestAckRefuses(t *testing.T) {
	for _, kind := range []Type{PUBACK, PUBREC, PUBREL, PUBCOMP} {
		f := checker(t, kind)
		for _, v := range []Version{V311, V5} {
			f("nothing", 0, []byte{}, v, MalformedPacket)
			f("half a packet identifier", 0, raw(1), v, MalformedPacket)
			f("packet identifier 0", 0, raw(uint16(0)), v, ProtocolError)
		}
		f("reason code", 0, raw(uint16(1), 0), V311, MalformedPacket)
		f("longer than its properties", 0, raw(uint16(1), 0, props(), 0), V5, MalformedPacket)
		f("properties longer than the packet", 0, raw(uint16(1), 0, 3, 0x1F), V5, MalformedPacket)
		f("reason string that is not UTF-8", 0, raw(uint16(1), 0, props(0x1F, "\xFF")), V5, MalformedPacket)
	}
}

// TestReasonCodes tries all of them in all packets that a client sends with one (sections 3.4.2.1, 3.5.2.1, 3.6.2.1,
// 3.7.2.1, 3.14.2.1 and 3.15.2.1).
func TestReasonCodes(t *testing.T) {
	f := func(kind Type, before, after []byte, allowed ...int) {
		t.Helper()
		check := checker(t, kind)
		for code := range 256 {
			want := Success
			if !slices.Contains(allowed, code) {
				want = ProtocolError
			}
			check(kind.String()+" with "+Reason(code).String(), 0, raw(before, code, after), V5, want)
		}
	}
	id := raw(uint16(1))
	f(PUBACK, id, nil, 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
	f(PUBREC, id, nil, 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
	f(PUBREL, id, nil, 0x00, 0x92)
	f(PUBCOMP, id, nil, 0x00, 0x92)
	f(DISCONNECT, nil, nil, 0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99)
	f(AUTH, nil, props(0x15, "m"), 0x18, 0x19)
	if err := new(Ack).Check(PUBLISH); reasonOf(t, err) != ProtocolError {
		t.Errorf("a PUBLISH has no reason code: %v", err)
	}
}

func TestPubackAppend(t *testing.T) {
	f := func(v Version, r Reason, reason string, want []byte) {
		t.Helper()
		if got := AppendPuback(nil, v, 10, r, reason); !bytes.Equal(got, want) {
			t.Errorf("version %d, %v, %q: % x, want % x", v, r, reason, got, want)
		}
	}
	f(V311, Success, "", raw(0x40, 2, uint16(10)))
	f(V311, QuotaExceeded, "full", raw(0x40, 2, uint16(10)))
	f(V5, Success, "", raw(0x40, 2, uint16(10)))
	f(V5, Success, "ok", raw(0x40, 9, uint16(10), 0, props(0x1F, "ok")))
	f(V5, QuotaExceeded, "", raw(0x40, 3, uint16(10), 0x97))
	f(V5, QuotaExceeded, "full", raw(0x40, 11, uint16(10), 0x97, props(0x1F, "full")))
}
