package packet

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	paho "github.com/eclipse/paho.golang/packets"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// rounds is how many packets of each type are made up.
const rounds = 400

// A maker makes up the contents of packets, the same ones in every run.
type maker struct{ *rand.Rand }

func newMaker() maker { return maker{rand.New(rand.NewPCG(5, 311))} }

func (m maker) maybe() bool { return m.IntN(2) == 0 }

func (m maker) uint16() uint16 { return uint16(m.Uint32() >> m.IntN(32)) }

func (m maker) uint32() uint32 { return m.Uint32() >> m.IntN(32) }

func (m maker) id() uint16 { return 1 + m.uint16()%65535 }

// text is mostly short, and sometimes so long that lengths take another byte.
func (m maker) text() string {
	letters := []rune("abcxyz /09-_.$äß漢😀\u0001\uFEFF\uFFFD")
	n := m.IntN(12)
	switch m.IntN(300) {
	case 0:
		n = 120 + m.IntN(20)
	case 1:
		n = 16000
	}
	var b strings.Builder
	for range n {
		b.WriteRune(letters[m.IntN(len(letters))])
	}
	return b.String()
}

// some is a text that is not empty.
func (m maker) some() string { return "x" + m.text() }

func (m maker) data() []byte {
	b := make([]byte, m.IntN(20)*m.IntN(8))
	for i := range b {
		b[i] = byte(m.Uint32())
	}
	return b
}

func (m maker) users() []paho.User {
	var users []paho.User
	for range m.IntN(4) {
		users = append(users, paho.User{Key: m.text(), Value: m.text()})
	}
	return users
}

// either is a pointer to a value, or nil.
func either[T any](m maker, value T) *T {
	if m.maybe() {
		return nil
	}
	return &value
}

// or is what a pointer points to, or what a missing property means.
func or[T any](p *T, missing T) T {
	if p == nil {
		return missing
	}
	return *p
}

func ourUsers(users []paho.User) UserProperties {
	var u UserProperties
	for _, user := range users {
		u = u.Append(user.Key, user.Value)
	}
	return u
}

// fromPaho encodes with paho.golang and decodes with this package.
func fromPaho(t *testing.T, kind Type, content paho.Packet) any {
	t.Helper()
	var b bytes.Buffer
	if _, err := content.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	h, n, err := ParseHeader(b.Bytes())
	if err != nil || h.Type != kind || n+h.Length != b.Len() {
		t.Fatalf("header %v of %d bytes, %v; packet of %d bytes", h, n, err, b.Len())
	}
	p, err := decode(h.Type, h.Flags, b.Bytes()[n:], V5)
	if err != nil {
		t.Fatalf("%v: %v", content, err)
	}
	return p
}

// toPaho decodes with paho.golang what this package has encoded.
func toPaho(t *testing.T, b []byte) paho.Packet {
	t.Helper()
	r := bytes.NewReader(b)
	p, err := paho.ReadPacket(r)
	if err != nil {
		t.Fatalf("% x: %v", b, err)
	}
	if r.Len() > 0 {
		t.Fatalf("% x: the last %d bytes are too much", b, r.Len())
	}
	return p.Content
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
}

func TestConnectFromPaho(t *testing.T) {
	m := newMaker()
	for range rounds {
		sent := &paho.Connect{
			ProtocolName: "MQTT", ProtocolVersion: 5, CleanStart: m.maybe(), KeepAlive: m.uint16(), ClientID: m.text(),
			Properties: &paho.Properties{
				SessionExpiryInterval: either(m, m.uint32()), ReceiveMaximum: either(m, m.id()), MaximumPacketSize: either(m, 1+m.uint32()/2),
				TopicAliasMaximum: either(m, m.uint16()), RequestResponseInfo: either(m, byte(m.IntN(2))),
				RequestProblemInfo: either(m, byte(m.IntN(2))), User: m.users(),
			},
		}
		props := sent.Properties
		want := &Connect{
			Version: V5, CleanStart: sent.CleanStart, KeepAlive: sent.KeepAlive, ClientID: sent.ClientID,
			SessionExpiry: or(props.SessionExpiryInterval, 0), ReceiveMaximum: or(props.ReceiveMaximum, 65535),
			MaximumPacketSize: or(props.MaximumPacketSize, 0), TopicAliasMaximum: or(props.TopicAliasMaximum, 0),
			RequestResponse: or(props.RequestResponseInfo, 0) == 1, RequestProblem: or(props.RequestProblemInfo, 1) == 1,
			UserProperties: ourUsers(props.User),
		}
		if m.maybe() {
			props.AuthMethod, props.AuthData = m.some(), m.data()
			want.HasAuthenticationMethod, want.AuthenticationMethod, want.AuthenticationData = true, props.AuthMethod, props.AuthData
		}
		if m.maybe() {
			sent.UsernameFlag, sent.Username = true, m.text()
			want.HasUsername, want.Username = true, sent.Username
		}
		if m.maybe() {
			sent.PasswordFlag, sent.Password = true, m.data()
			want.HasPassword, want.Password = true, sent.Password
		}
		if m.maybe() {
			want.Will = makeWill(m, sent)
		}
		same(t, want, fromPaho(t, CONNECT, sent))
	}
}

// makeWill gives a CONNECT a will. Of its properties paho.golang writes only these.
func makeWill(m maker, sent *paho.Connect) *Will {
	sent.WillFlag, sent.WillQOS, sent.WillRetain, sent.WillTopic, sent.WillMessage = true, byte(m.IntN(3)), m.maybe(), m.some(), m.data()
	sent.WillProperties = &paho.Properties{WillDelayInterval: either(m, m.uint32()), User: m.users()}
	return &Will{
		Topic: sent.WillTopic, Payload: sent.WillMessage, QoS: sent.WillQOS, Retain: sent.WillRetain,
		DelayInterval: or(sent.WillProperties.WillDelayInterval, 0), UserProperties: ourUsers(sent.WillProperties.User),
	}
}

// makePublish makes up a PUBLISH for both.
func makePublish(m maker) (*paho.Publish, *Publish) {
	theirs := &paho.Publish{
		Topic: m.some(), QoS: byte(m.IntN(3)), Retain: m.maybe(), Payload: m.data(),
		Properties: &paho.Properties{MessageExpiry: either(m, m.uint32()), User: m.users()},
	}
	props := theirs.Properties
	ours := &Publish{
		Topic: theirs.Topic, QoS: theirs.QoS, Retain: theirs.Retain, Payload: theirs.Payload,
		HasMessageExpiry: props.MessageExpiry != nil, MessageExpiry: or(props.MessageExpiry, 0), UserProperties: ourUsers(props.User),
	}
	if ours.QoS > 0 {
		ours.PacketID, ours.Dup = m.id(), m.maybe()
		theirs.PacketID, theirs.Duplicate = ours.PacketID, ours.Dup
	}
	if m.maybe() {
		ours.PayloadFormat, ours.TopicAlias = 1, m.id()
		props.PayloadFormat, props.TopicAlias = &ours.PayloadFormat, &ours.TopicAlias
	}
	if m.maybe() {
		ours.ContentType, ours.ResponseTopic, ours.CorrelationData = m.some(), m.some(), append(m.data(), 0)
		props.ContentType, props.ResponseTopic, props.CorrelationData = ours.ContentType, ours.ResponseTopic, ours.CorrelationData
	}
	return theirs, ours
}

func TestPublishFromPaho(t *testing.T) {
	m := newMaker()
	for range rounds {
		sent, want := makePublish(m)
		same(t, want, fromPaho(t, PUBLISH, sent))
	}
}

func TestPublishToPaho(t *testing.T) {
	m := newMaker()
	for range rounds {
		want, sent := makePublish(m)
		if m.maybe() {
			id := 1 + m.IntN(268435455)
			want.Properties.SubscriptionIdentifier, sent.SubscriptionIDs = &id, []uint32{uint32(id)}
		}
		same(t, paho.Packet(want), toPaho(t, sent.Append(nil, V5)))
	}
}
