package packet

import (
	"bytes"
	"testing"
)

func TestConnackAppend(t *testing.T) {
	f := func(p Connack, v Version, want []byte) {
		t.Helper()
		if got := p.Append(nil, v); !bytes.Equal(got, want) {
			t.Errorf("Append(%+v, %d) = % x, want % x", p, v, got, want)
		}
	}
	f(Connack{SessionPresent: true}, V311, raw(0x20, 2, 1, 0))
	f(Connack{SessionPresent: true, Return: 5, Reason: Banned, ReasonString: "x"}, V311, raw(0x20, 2, 0, 5))
	f(Connack{Return: 1}, V31, raw(0x20, 2, 0, 1))
	f(Connack{MaximumQoS: 2, SessionPresent: true, Return: 5}, V5, raw(0x20, 3, 1, 0, 0))
	f(Connack{MaximumQoS: 2, SessionPresent: true, Reason: Banned}, V5, raw(0x20, 3, 0, 0x8A, 0))
	f(Connack{}, V5, raw(0x20, 5, 0, 0, props(0x24, 0)))
	f(Connack{
		HasSessionExpiry: true, SessionExpiry: 60, ReceiveMaximum: 20, MaximumQoS: 1, RetainUnavailable: true,
		MaximumPacketSize: 16384, AssignedClientID: "id", TopicAliasMaximum: 8, ReasonString: "welcome", WildcardUnavailable: true,
		SubscriptionIDsUnavailable: true, SharedUnavailable: true, HasServerKeepAlive: true, ServerKeepAlive: 30,
	}, V5, raw(0x20, 47, 0, 0, props(0x11, uint32(60), 0x12, "id", 0x13, uint16(30), 0x1F, "welcome", 0x21, uint16(20), 0x24, 1,
		0x25, 0, 0x27, uint32(16384), 0x22, uint16(8), 0x28, 0, 0x29, 0, 0x2A, 0)))
	f(Connack{MaximumQoS: 2, HasSessionExpiry: true, HasServerKeepAlive: true}, V5,
		raw(0x20, 11, 0, 0, props(0x11, uint32(0), 0x13, uint16(0))))
}

func TestPingrespAppend(t *testing.T) {
	if got := AppendPingresp([]byte{1}); !bytes.Equal(got, []byte{1, 0xD0, 0}) {
		t.Errorf("% x", got)
	}
}
