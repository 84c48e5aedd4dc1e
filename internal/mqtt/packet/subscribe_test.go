package packet

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSubscribeDecode(t *testing.T) {
	var got Subscribe
	f := func(body []byte, v Version, want Subscribe, users []pair) {
		t.Helper()
		if err := got.Decode(body, v); err != nil {
			t.Fatalf("Decode(% x): %v", body, err)
		}
		if diff := cmp.Diff(users, pairs(got.UserProperties)); diff != "" {
			t.Errorf("user properties (-want +got):\n%s", diff)
		}
		got.UserProperties = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packet (-want +got):\n%s", diff)
		}
	}
	f(raw(uint16(10), "a/b", 1, "c/d", 2), V311,
		Subscribe{PacketID: 10, Subscriptions: []Subscription{{Filter: "a/b", QoS: 1}, {Filter: "c/d", QoS: 2}}}, nil)
	f(raw(uint16(11), props(0x0B, 0xFF, 0xFF, 0xFF, 0x7F, user("a", "b")), "command/inbox//#", 0x2D, "$share/g/#", 0x00), V5,
		Subscribe{PacketID: 11, SubscriptionID: 268435455, Subscriptions: []Subscription{
			{Filter: "command/inbox//#", QoS: 1, NoLocal: true, RetainAsPublished: true, RetainHandling: 2},
			{Filter: "$share/g/#"},
		}}, []pair{{"a", "b"}})
	f(raw(uint16(12), props(), "#", 0x10), V5,
		Subscribe{PacketID: 12, Subscriptions: []Subscription{{Filter: "#", RetainHandling: 1}}}, nil)
}

func TestSubscribeRefuses(t *testing.T) {
	f := checker(t, SUBSCRIBE)
	for _, v := range []Version{V311, V5} {
		none := []byte{}
		if v == V5 {
			none = props()
		}
		f("nothing", 2, []byte{}, v, MalformedPacket)
		f("packet identifier 0", 2, raw(uint16(0), none, "t", 0), v, ProtocolError)
		f("no filter", 2, raw(uint16(1), none), v, ProtocolError)
		f("no options", 2, raw(uint16(1), none, "t"), v, MalformedPacket)
		f("no options for the second", 2, raw(uint16(1), none, "t", 0, "u"), v, MalformedPacket)
		f("filter that is cut", 2, raw(uint16(1), none, uint16(3), []byte("t")), v, MalformedPacket)
		f("filter that is not UTF-8", 2, raw(uint16(1), none, "\xFE", 0), v, MalformedPacket)
		f("filter with a null character", 2, raw(uint16(1), none, "a\x00", 0), v, MalformedPacket)
		f("reserved bit 6", 2, raw(uint16(1), none, "t", 0x40), v, MalformedPacket)
		f("reserved bit 7", 2, raw(uint16(1), none, "t", 0x80), v, MalformedPacket)
		f("wrong filter after a good one", 2, raw(uint16(1), none, "t", 0, "#/t", 0), v, MalformedPacket)
	}
	f("QoS 3", 2, raw(uint16(1), "t", 3), V311, MalformedPacket)
	f("options of version 5", 2, raw(uint16(1), "t", 4), V311, MalformedPacket)
	f("QoS 3", 2, raw(uint16(1), props(), "t", 3), V5, ProtocolError)
	f("retain handling 3", 2, raw(uint16(1), props(), "t", 0x30), V5, ProtocolError)
	f("no properties", 2, raw(uint16(1)), V5, MalformedPacket)
	f("subscription identifier 0", 2, raw(uint16(1), props(0x0B, 0), "t", 0), V5, ProtocolError)
	f("subscription identifier of five bytes", 2, raw(uint16(1), props(0x0B, 0x80, 0x80, 0x80, 0x80, 1), "t", 0), V5, MalformedPacket)
	f("subscription identifier 1 in two bytes", 2, raw(uint16(1), props(0x0B, 0x81, 0), "t", 0), V5, MalformedPacket)
	f("No Local", 2, raw(uint16(1), props(), "$share/g/t", 0x04), V5, ProtocolError)
	f("No Local", 2, raw(uint16(1), props(), "$sharing/g/t", 0x04), V5, Success)
}

// TestTopicFilters of SUBSCRIBE and UNSUBSCRIBE.
func TestTopicFilters(t *testing.T) {
	subscribe, unsubscribe := checker(t, SUBSCRIBE), checker(t, UNSUBSCRIBE)
	f := func(filter string, v Version, want Reason) {
		t.Helper()
		none := []byte{}
		if v == V5 {
			none = props()
		}
		subscribe(filter, 2, raw(uint16(1), none, filter, 0), v, want)
		unsubscribe(filter, 2, raw(uint16(1), none, filter), v, want)
	}
	for _, v := range []Version{V311, V5} {
		for _, filter := range []string{
			"#", "/#", "+", "+/+", "/+", "+/#", "/", "//", "a/#", "a/+/b", "+/a/+", "$SYS/#", "$SYS/monitor/+", "a b", "ä/+/#",
			"$share", "$sharex/#", "$SHARE/a",
		} {
			f(filter, v, Success)
		}
		for _, filter := range []string{
			"", "#/", "##", "#a", "a#", "a/#/b", "#/a", "a/b#", "+a", "a+", "a/b+", "a+/b", "++", "+#", "#+", "a/+b/#", "/#/#",
		} {
			f(filter, v, MalformedPacket)
		}
	}
	f("$share/g/t", V5, Success)
	f("$share/g/#", V5, Success)
	f("$share/g//", V5, Success)
	f("$share/g/+/t", V5, Success)
	f("$share/g/$share/h/t", V5, Success)
	for _, filter := range []string{
		"$share/", "$share//", "$share//t", "$share/g", "$share/g/", "$share/+/t", "$share/#", "$share/#/t", "$share/g+/t",
		"$share/g/#/t", "$share/g/t+",
	} {
		f(filter, V5, MalformedPacket)
	}
	f("$share//t", V311, Success) // there is nothing special about it in version 3.1.1
	f("$share/#", V311, Success)
}

func TestUnsubscribeDecode(t *testing.T) {
	var got Unsubscribe
	f := func(body []byte, v Version, want Unsubscribe) {
		t.Helper()
		if err := got.Decode(body, v); err != nil {
			t.Fatalf("Decode(% x): %v", body, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packet (-want +got):\n%s", diff)
		}
	}
	f(raw(uint16(10), "a/b", "c/d"), V311, Unsubscribe{PacketID: 10, Filters: []string{"a/b", "c/d"}})
	f(raw(uint16(11), props(user("a", "b"), user("c", "d")), "$share/g/t"), V5, Unsubscribe{PacketID: 11, Filters: []string{"$share/g/t"}})
}

func TestUnsubscribeRefuses(t *testing.T) {
	f := checker(t, UNSUBSCRIBE)
	for _, v := range []Version{V311, V5} {
		none := []byte{}
		if v == V5 {
			none = props()
		}
		f("nothing", 2, []byte{}, v, MalformedPacket)
		f("packet identifier 0", 2, raw(uint16(0), none, "t"), v, ProtocolError)
		f("no filter", 2, raw(uint16(1), none), v, ProtocolError)
		f("filter that is cut", 2, raw(uint16(1), none, "t", uint16(2), 0x61), v, MalformedPacket)
		f("half a length", 2, raw(uint16(1), none, "t", 0), v, MalformedPacket)
		f("filter that is not UTF-8", 2, raw(uint16(1), none, "\xE2\x82"), v, MalformedPacket)
	}
	f("no properties", 2, raw(uint16(1)), V5, MalformedPacket)
}

func TestSubackAppend(t *testing.T) {
	f := func(p Suback, v Version, want []byte) {
		t.Helper()
		if got := p.Append(nil, v); !bytes.Equal(got, want) {
			t.Errorf("Append(%+v, %d) = % x, want % x", p, v, got, want)
		}
	}
	granted := Suback{PacketID: 10, Reasons: []Reason{Success, GrantedQoS1, GrantedQoS2, NotAuthorized, UnspecifiedError}}
	f(granted, V311, raw(0x90, 7, uint16(10), 0, 1, 2, 0x80, 0x80))
	f(granted, V5, raw(0x90, 8, uint16(10), 0, 0, 1, 2, 0x87, 0x80))
	granted.ReasonString = "why"
	f(granted, V311, raw(0x90, 7, uint16(10), 0, 1, 2, 0x80, 0x80))
	f(granted, V5, raw(0x90, 14, uint16(10), props(0x1F, "why"), 0, 1, 2, 0x87, 0x80))
}

func TestUnsubackAppend(t *testing.T) {
	f := func(p Unsuback, v Version, want []byte) {
		t.Helper()
		if got := p.Append(nil, v); !bytes.Equal(got, want) {
			t.Errorf("Append(%+v, %d) = % x, want % x", p, v, got, want)
		}
	}
	removed := Unsuback{PacketID: 10, Reasons: []Reason{Success, NoSubscriptionExisted}, ReasonString: "x"}
	f(removed, V311, raw(0xB0, 2, uint16(10)))
	f(removed, V5, raw(0xB0, 9, uint16(10), props(0x1F, "x"), 0, 0x11))
	removed.ReasonString = ""
	f(removed, V5, raw(0xB0, 5, uint16(10), 0, 0, 0x11))
}
