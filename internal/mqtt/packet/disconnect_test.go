package packet

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDisconnectDecode(t *testing.T) {
	f := func(body []byte, v Version, want Disconnect) {
		t.Helper()
		got := Disconnect{Reason: Banned, HasSessionExpiry: true, SessionExpiry: 7, ReasonString: "old"}
		if err := got.Decode(body, v); err != nil || got != want {
			t.Errorf("Decode(% x) = %+v, %v; want %+v", body, got, err, want)
		}
	}
	f([]byte{}, V311, Disconnect{})
	f([]byte{}, V5, Disconnect{})
	f(raw(0x04), V5, Disconnect{Reason: DisconnectWithWill})
	f(raw(0x00, props()), V5, Disconnect{})
	f(raw(0x98, props(user("a", "b"), 0x11, uint32(0), 0x1F, "bye", user("c", "d"))), V5,
		Disconnect{Reason: AdministrativeAction, HasSessionExpiry: true, ReasonString: "bye"})
}

func TestDisconnectRefuses(t *testing.T) {
	f := checker(t, DISCONNECT)
	f("a body", 0, raw(0x00), V311, MalformedPacket)
	f("longer than its properties", 0, raw(0x00, props(), 0), V5, MalformedPacket)
	f("properties longer than the packet", 0, raw(0x00, 1), V5, MalformedPacket)
	f("server reference of a client", 0, raw(0x00, props(0x1C, "other")), V5, ProtocolError)
	f("reason string that is not UTF-8", 0, raw(0x00, props(0x1F, "\xFF")), V5, MalformedPacket)
}

func TestDisconnectAppend(t *testing.T) {
	f := func(p Disconnect, v Version, want []byte) {
		t.Helper()
		if got := p.Append([]byte{}, v); !bytes.Equal(got, want) {
			t.Errorf("Append(%+v, %d) = % x, want % x", p, v, got, want)
		}
	}
	f(Disconnect{Reason: SessionTakenOver, ReasonString: "x"}, V311, []byte{})
	f(Disconnect{Reason: SessionTakenOver}, V5, raw(0xE0, 1, 0x8E))
	f(Disconnect{}, V5, raw(0xE0, 1, 0x00))
	f(Disconnect{Reason: PacketTooLarge, HasSessionExpiry: true, SessionExpiry: 9}, V5, raw(0xE0, 1, 0x95))
	f(Disconnect{Reason: PacketTooLarge, ReasonString: "too large"}, V5, raw(0xE0, 14, 0x95, props(0x1F, "too large")))
}

func TestAuthDecode(t *testing.T) {
	f := func(body []byte, want Auth) {
		t.Helper()
		var got Auth
		if err := got.Decode(body); err != nil {
			t.Fatalf("Decode(% x): %v", body, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packet (-want +got):\n%s", diff)
		}
	}
	f(raw(0x18, props(0x15, "m")), Auth{Reason: ContinueAuthentication, AuthenticationMethod: "m"})
	f(raw(0x19, props(0x1F, "again", user("a", "b"), 0x16, "\x00\xFF", 0x15, "m")),
		Auth{Reason: ReAuthenticate, AuthenticationMethod: "m", AuthenticationData: []byte{0, 0xFF}})
}

func TestAuthRefuses(t *testing.T) {
	f := checker(t, AUTH)
	f("nothing, which is success", 0, []byte{}, V5, ProtocolError)
	f("success", 0, raw(0x00, props(0x15, "m")), V5, ProtocolError)
	f("no properties", 0, raw(0x18), V5, MalformedPacket)
	f("no method", 0, raw(0x18, props(0x16, "data")), V5, ProtocolError)
	f("two methods", 0, raw(0x18, props(0x15, "m", 0x15, "m")), V5, ProtocolError)
	f("method that is not UTF-8", 0, raw(0x18, props(0x15, "\xFF")), V5, MalformedPacket)
	f("longer than its properties", 0, raw(0x18, props(0x15, "m"), 0), V5, MalformedPacket)
}
