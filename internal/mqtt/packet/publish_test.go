package packet

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPublishDecode(t *testing.T) {
	f := func(flags byte, body []byte, v Version, want Publish, users []pair) {
		t.Helper()
		got := *attributed() // nothing of it may stay
		if err := got.Decode(flags, body, v); err != nil {
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
	f(0x00, raw("t"), V311, Publish{Topic: "t", Payload: []byte{}}, nil)
	f(0x01, raw("a/b", []byte("hi")), V31, Publish{Retain: true, Topic: "a/b", Payload: []byte("hi")}, nil)
	f(0x0A, raw("/", uint16(7), []byte("hi")), V311, Publish{Dup: true, QoS: 1, Topic: "/", PacketID: 7, Payload: []byte("hi")}, nil)
	f(0x04, raw("$x", uint16(65535), 0), V311, Publish{QoS: 2, Topic: "$x", PacketID: 65535, Payload: []byte{0}}, nil)
	f(0x02, raw("ü", uint16(1), props(), []byte("hi")), V5, Publish{QoS: 1, Topic: "ü", PacketID: 1, Payload: []byte("hi")}, nil)
	f(0x00, raw("", props(0x23, uint16(5))), V5, Publish{TopicAlias: 5, Payload: []byte{}}, nil)
	f(0x02, raw("t", uint16(9), props(user("a", "1"), 0x01, 1, 0x02, uint32(0), user("a", "2"), 0x03, "text/plain", 0x08, "r", 0x09, "",
		0x23, uint16(8), user("", "3")), []byte("hi")), V5,
		Publish{
			QoS: 1, Topic: "t", PacketID: 9, Payload: []byte("hi"), PayloadFormat: 1, HasMessageExpiry: true,
			ContentType: "text/plain", ResponseTopic: "r", CorrelationData: []byte{}, TopicAlias: 8,
		},
		[]pair{{"a", "1"}, {"a", "2"}, {"", "3"}})
}

func TestPublishRefuses(t *testing.T) {
	f := checker(t, PUBLISH)
	for _, v := range []Version{V311, V5} {
		none := []byte{}
		if v == V5 {
			none = props()
		}
		f("QoS 3", 0x06, raw("t", uint16(1), none), v, MalformedPacket)
		f("QoS 3 again", 0x0E, raw("t", uint16(1), none), v, MalformedPacket)
		f("QoS 0 again", 0x08, raw("t", none), v, MalformedPacket)
		f("nothing", 0x00, none[:0], v, MalformedPacket)
		f("topic that is cut", 0x00, raw(uint16(2), []byte("t")), v, MalformedPacket)
		f("topic with #", 0x00, raw("a/#", none), v, MalformedPacket)
		f("topic with +", 0x00, raw("+/a", none), v, MalformedPacket)
		f("topic with a wildcard within a level", 0x00, raw("a+b", none), v, MalformedPacket)
		f("topic with a null character", 0x00, raw("a\x00b", none), v, MalformedPacket)
		f("topic that is not UTF-8", 0x00, raw("a\xC0\xAF", none), v, MalformedPacket)
		f("topic with a surrogate", 0x00, raw("a\xED\xBF\xBF", none), v, MalformedPacket)
		f("topic beyond Unicode", 0x00, raw("a\xF4\x90\x80\x80", none), v, MalformedPacket)
		f("packet identifier 0", 0x02, raw("t", uint16(0), none), v, ProtocolError)
		f("packet identifier 0 with QoS 2", 0x04, raw("t", uint16(0), none), v, ProtocolError)
		f("no packet identifier", 0x02, raw("t"), v, MalformedPacket)
		f("half a packet identifier", 0x02, raw("t", 1), v, MalformedPacket)
		f("long topic", 0x00, raw(strings.Repeat("/", 65535), none), v, Success)
		f("topic with the last character of Unicode", 0x00, raw("\U0010FFFF", none), v, Success)
	}
	f("empty topic", 0x00, raw("", []byte("x")), V311, MalformedPacket)
	f("empty topic without an alias", 0x00, raw("", props(), []byte("x")), V5, ProtocolError)
	f("no properties", 0x00, raw("t"), V5, MalformedPacket)
	f("topic alias 0", 0x00, raw("t", props(0x23, uint16(0))), V5, TopicAliasInvalid)
	f("topic alias 0 without a topic", 0x00, raw("", props(0x23, uint16(0))), V5, TopicAliasInvalid)
	f("subscription identifier of a client", 0x00, raw("t", props(0x0B, 1)), V5, ProtocolError)
	f("payload format 2", 0x00, raw("t", props(0x01, 2)), V5, ProtocolError)
	f("response topic with a wildcard", 0x00, raw("t", props(0x08, "a/+")), V5, MalformedPacket)
	f("empty response topic", 0x00, raw("t", props(0x08, "")), V5, MalformedPacket)
	f("content type with a null character", 0x00, raw("t", props(0x03, "a\x00")), V5, MalformedPacket)
	f("payload that is not what its format says", 0x00, raw("t", props(0x01, 1), 0xFF), V5, Success)
}

func TestPublishAppend(t *testing.T) {
	f := func(p Publish, v Version, want []byte) {
		t.Helper()
		if got := p.Append([]byte("before"), v); !bytes.Equal(got, raw([]byte("before"), want)) {
			t.Errorf("Append of %q, version %d: % x, want % x", p.Topic, v, got[6:], want)
		}
	}
	f(Publish{Topic: "t"}, V311, raw(0x30, 3, "t"))
	f(Publish{Topic: "t"}, V31, raw(0x30, 3, "t"))
	f(Publish{Topic: "t"}, V5, raw(0x30, 4, "t", 0))
	f(Publish{Topic: "a/b", PacketID: 10, QoS: 1, Payload: []byte("x")}, V311, raw(0x32, 8, "a/b", uint16(10), []byte("x")))
	f(Publish{Topic: "t", PacketID: 10, QoS: 2, Dup: true, Retain: true}, V5, raw(0x3D, 6, "t", uint16(10), 0))
	f(Publish{Topic: "t", PacketID: 10, Dup: true}, V5, raw(0x30, 4, "t", 0)) // neither counts with QoS 0
	f(Publish{Topic: "t", Payload: make([]byte, 124)}, V5, raw(0x30, 0x80, 1, "t", 0, make([]byte, 124)))
	f(Publish{Topic: "t", ContentType: strings.Repeat("x", 128)}, V5, raw(0x30, 0x88, 1, "t", 0x83, 1, 3, strings.Repeat("x", 128)))

	full := *attributed()
	full.SubscriptionIDs = []uint32{1, 268435455}
	f(full, V311, raw(0x32, 0x97, 2, "temperature/kitchen", uint16(7), full.Payload))
	f(full, V5, raw(0x32, 0xE4, 2, "temperature/kitchen", uint16(7), props(0x01, 1, 0x02, uint32(60), 0x03, "text/plain",
		0x08, "answers/7", 0x09, "abc", 0x23, uint16(3), 0x0B, 1, 0x0B, 0xFF, 0xFF, 0xFF, 0x7F, user("room", "kitchen"), user("unit", "°C")), full.Payload))
}

// TestPublishKeepsUserProperties wherever they lie among the others.
func TestPublishKeepsUserProperties(t *testing.T) {
	body := raw("t", props(0x03, "a", user("1", "x"), 0x01, 1, 0x02, uint32(1), user("2", "y"), user("1", "z"), 0x23, uint16(1)))
	var p Publish
	if err := p.Decode(0, body, V5); err != nil {
		t.Fatal(err)
	}
	want := raw(0x30, 0x27, "t", props(0x01, 1, 0x02, uint32(1), 0x03, "a", 0x23, uint16(1), user("1", "x"), user("2", "y"), user("1", "z")))
	if got := p.Append(nil, V5); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestPublishDecodesInPlace(t *testing.T) {
	for _, v := range []Version{V311, V5} {
		raw := attributed().Append(nil, v)
		h, n, err := ParseHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		var p Publish
		if allocations := testing.AllocsPerRun(100, func() {
			if err := p.Decode(h.Flags, raw[n:], v); err != nil {
				t.Fatal(err)
			}
			for name, value := range p.UserProperties.All() {
				if name == value {
					t.Fatal(name)
				}
			}
		}); allocations != 0 {
			t.Errorf("version %d: decoding takes %v allocations", v, allocations)
		}
		if copy(raw[n+2:], "T"); p.Topic != "Temperature/kitchen" {
			t.Errorf("version %d: the topic %q is a copy", v, p.Topic)
		}
	}
}

func TestPublishAppendsInPlace(t *testing.T) {
	p, b := attributed(), make([]byte, 0, 1024)
	if allocations := testing.AllocsPerRun(100, func() { b = p.Append(b[:0], V5) }); allocations != 0 {
		t.Errorf("appending takes %v allocations", allocations)
	}
}
