package packet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// connect is the body of a CONNECT; rest follows the keep alive of 10 seconds.
func connect(v Version, flags int, rest ...any) []byte {
	name := "MQTT"
	if v == V31 {
		name = "MQIsdp"
	}
	return raw(name, int(v), flags, uint16(10), raw(rest...))
}

func TestConnectDecode(t *testing.T) {
	f := func(body []byte, want Connect, users, willUsers []pair) {
		t.Helper()
		var got Connect
		if err := got.Decode(body); err != nil {
			t.Fatalf("Decode(% x): %v", body, err)
		}
		if diff := cmp.Diff(users, pairs(got.UserProperties)); diff != "" {
			t.Errorf("user properties (-want +got):\n%s", diff)
		}
		got.UserProperties = nil
		if got.Will != nil {
			if diff := cmp.Diff(willUsers, pairs(got.Will.UserProperties)); diff != "" {
				t.Errorf("user properties of the will (-want +got):\n%s", diff)
			}
			got.Will.UserProperties = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packet (-want +got):\n%s", diff)
		}
	}
	plain := Connect{CleanStart: true, KeepAlive: 10, ClientID: "c", ReceiveMaximum: 65535, RequestProblem: true}

	want := plain
	want.Version = V31
	f(connect(V31, 0x02, "c"), want, nil, nil)
	f(connect(V31, 0x03, "c"), want, nil, nil) // its bit 0 is not used, and may be anything
	want.Version = V311
	f(connect(V311, 0x02, "c"), want, nil, nil)
	want.Version = V5
	f(connect(V5, 0x02, props(), "c"), want, nil, nil)

	want = plain
	want.Version, want.CleanStart, want.ClientID = V311, false, ""
	f(connect(V311, 0x00, ""), want, nil, nil) // refused with return code 2, not as malformed

	want = plain
	want.Version, want.Will = V311, &Will{Topic: "w", Payload: []byte{}, QoS: 2, Retain: true}
	want.HasUsername, want.HasPassword, want.Password = true, true, []byte{0, 0xFF}
	f(connect(V311, 0xF6, "c", "w", "", "", "\x00\xFF"), want, nil, nil)

	want = plain
	want.Version, want.HasPassword, want.Password = V5, true, []byte("token")
	f(connect(V5, 0x42, props(), "c", "token"), want, nil, nil)

	f(connect(V5, 0xEE, props(0x11, uint32(3600), user("a", "1"), 0x21, uint16(9), 0x27, uint32(1000), 0x22, uint16(3),
		0x19, 1, 0x17, 0, user("b", "2"), 0x15, "SCRAM", 0x16, "data"), "c",
		props(0x18, uint32(5), user("w", ""), 0x01, 1, 0x02, uint32(60), 0x03, "text/plain", 0x08, "r/t", 0x09, "corr"),
		"will/topic", "bye", "name", "secret"),
		Connect{
			Version: V5, CleanStart: true, KeepAlive: 10, ClientID: "c",
			HasUsername: true, Username: "name", HasPassword: true, Password: []byte("secret"),
			SessionExpiry: 3600, ReceiveMaximum: 9, MaximumPacketSize: 1000, TopicAliasMaximum: 3, RequestResponse: true,
			HasAuthenticationMethod: true, AuthenticationMethod: "SCRAM", AuthenticationData: []byte("data"),
			Will: &Will{
				Topic: "will/topic", Payload: []byte("bye"), QoS: 1, Retain: true, DelayInterval: 5, PayloadFormat: 1,
				MessageExpiry: 60, ContentType: "text/plain", ResponseTopic: "r/t", CorrelationData: []byte("corr"),
			},
		},
		[]pair{{"a", "1"}, {"b", "2"}}, []pair{{"w", ""}})
}

func TestConnectRefuses(t *testing.T) {
	check := checker(t, CONNECT)
	f := func(what string, body []byte, want Reason) {
		t.Helper()
		check(what, 0, body, 0, want)
	}
	f("protocol name with a wrong length", raw(uint16(5), []byte("MQTT")), MalformedPacket)
	f("protocol name that is not UTF-8", raw("MQT\xFF", 4, 2, uint16(10), "c"), MalformedPacket)
	f("another protocol name", raw("MQTU", 4, 2, uint16(10), "c"), UnsupportedProtocolVersion)
	f("an empty protocol name", raw("", 4, 2, uint16(10), "c"), UnsupportedProtocolVersion)
	f("the old name with a new version", raw("MQIsdp", 4, 2, uint16(10), "c"), UnsupportedProtocolVersion)
	f("the new name with an old version", raw("MQTT", 3, 2, uint16(10), "c"), UnsupportedProtocolVersion)
	f("version 6", raw("MQTT", 6, 2, uint16(10), "c"), UnsupportedProtocolVersion)
	f("version 4 of a bridge", raw("MQTT", 0x84, 2, uint16(10), "c"), UnsupportedProtocolVersion)

	for _, v := range []Version{V311, V5} {
		// head is what lies between the keep alive and the client identifier; each property block is empty.
		var head, will []byte
		if v == V5 {
			head, will = props(), props()
		}
		f("reserved flag", connect(v, 0x03, head, "c"), MalformedPacket)
		f("will QoS without a will", connect(v, 0x0A, head, "c"), MalformedPacket)
		f("will QoS 3 without a will", connect(v, 0x1A, head, "c"), MalformedPacket)
		f("will retain without a will", connect(v, 0x22, head, "c"), MalformedPacket)
		f("will QoS 3", connect(v, 0x1E, head, "c", will, "w", "x"), MalformedPacket)
		f("will without topic", connect(v, 0x06, head, "c"), MalformedPacket)
		f("will without payload", connect(v, 0x06, head, "c", will, "w"), MalformedPacket)
		f("will with an empty topic", connect(v, 0x06, head, "c", will, "", "x"), MalformedPacket)
		f("will topic with a wildcard", connect(v, 0x06, head, "c", will, "a/+", "x"), MalformedPacket)
		f("will topic with a null character", connect(v, 0x06, head, "c", will, "a\x00", "x"), MalformedPacket)
		f("no client identifier", connect(v, 0x02, head), MalformedPacket)
		f("client identifier that is not UTF-8", connect(v, 0x02, head, "\xC3"), MalformedPacket)
		f("client identifier with a null character", connect(v, 0x02, head, "a\x00b"), MalformedPacket)
		f("client identifier with a surrogate", connect(v, 0x02, head, "\xED\xA0\x80"), MalformedPacket)
		f("client identifier with an overlong null", connect(v, 0x02, head, "\xC0\x80"), MalformedPacket)
		f("no user name", connect(v, 0x82, head, "c"), MalformedPacket)
		f("user name that is not UTF-8", connect(v, 0x82, head, "c", "\xFF"), MalformedPacket)
		f("no password", connect(v, 0xC2, head, "c", "u"), MalformedPacket)
		f("more after the client identifier", connect(v, 0x02, head, "c", 0), MalformedPacket)
		f("user name without its flag", connect(v, 0x02, head, "c", "u"), MalformedPacket)
		f("more after the password", connect(v, 0xC2, head, "c", "u", "p", "x"), MalformedPacket)
	}
	f("password without user name", connect(V311, 0x42, "c", "p"), MalformedPacket)
	f("no properties", connect(V5, 0x02), MalformedPacket)
	f("a client identifier where properties should be", connect(V5, 0x02, "c"), MalformedPacket)
	f("no will properties", connect(V5, 0x06, props(), "c", "w", "x"), MalformedPacket)
	f("long client identifier", connect(V5, 0x02, props(), strings.Repeat("x", 65535)), Success)
}

func TestConnectPropertiesRefused(t *testing.T) {
	check := checker(t, CONNECT)
	f := func(what string, want Reason, parts ...any) {
		t.Helper()
		check(what, 0, connect(V5, 0x02, props(parts...), "c"), V5, want)
	}
	f("receive maximum 0", ProtocolError, 0x21, uint16(0))
	f("maximum packet size 0", ProtocolError, 0x27, uint32(0))
	f("request response information 2", ProtocolError, 0x19, 2)
	f("request problem information 255", ProtocolError, 0x17, 255)
	f("authentication data without a method", ProtocolError, 0x16, "x")
	f("authentication method that is not UTF-8", MalformedPacket, 0x15, "\x80")
	f("user property without value", MalformedPacket, 0x26, "x")
	f("user property that is not UTF-8", MalformedPacket, user("x", "\xFF"))
	f("user property with a null character", MalformedPacket, user("\x00", "x"))
	f("empty user property", Success, user("", ""))
	f("session expiry for ever", Success, 0x11, uint32(0xFFFFFFFF))

	w := func(what string, want Reason, parts ...any) {
		t.Helper()
		check(what, 0, connect(V5, 0x06, props(), "c", props(parts...), "w", "x"), V5, want)
	}
	w("payload format 2", ProtocolError, 0x01, 2)
	w("response topic with a wildcard", MalformedPacket, 0x08, "#")
	w("empty response topic", MalformedPacket, 0x08, "")
	w("content type that is not UTF-8", MalformedPacket, 0x03, "\xF5")
	w("message expiry 0", Success, 0x02, uint32(0))
}

// TestConnectTellsTheVersion even if it cannot be decoded: in which words a client is refused depends on it.
func TestConnectTellsTheVersion(t *testing.T) {
	f := func(body []byte, want Version) {
		t.Helper()
		p := Connect{Version: V31}
		if err := p.Decode(body); err == nil || p.Version != want {
			t.Errorf("Decode(% x): version %d, %v; want %d and an error", body, p.Version, err, want)
		}
	}
	f(connect(V311, 0x01, "c"), V311)
	f(connect(V5, 0x02), V5)
	f(raw("MQTT", 6), 0)
	f(raw("MQT"), 0)
}
