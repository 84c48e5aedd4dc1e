package packet

import (
	"bytes"
	"testing"

	paho "github.com/eclipse/paho.golang/packets"
)

// filter is a well-formed topic filter.
func (m maker) filter() string {
	return []string{"#", "+/a", "a/b/#", "/", m.some(), "command/inbox//#"}[m.IntN(6)]
}

func TestSubscribeFromPaho(t *testing.T) {
	m := newMaker()
	for range rounds {
		sent := &paho.Subscribe{PacketID: m.id(), Properties: &paho.Properties{User: m.users()}}
		want := &Subscribe{PacketID: sent.PacketID, UserProperties: ourUsers(sent.Properties.User)}
		if m.maybe() {
			id := 1 + m.IntN(268435455)
			sent.Properties.SubscriptionIdentifier, want.SubscriptionID = &id, uint32(id)
		}
		for range 1 + m.IntN(4) {
			s := Subscription{
				Filter: m.filter(), QoS: byte(m.IntN(3)), NoLocal: m.maybe(), RetainAsPublished: m.maybe(), RetainHandling: byte(m.IntN(3)),
			}
			want.Subscriptions = append(want.Subscriptions, s)
			sent.Subscriptions = append(sent.Subscriptions, paho.SubOptions{
				Topic: s.Filter, QoS: s.QoS, NoLocal: s.NoLocal, RetainAsPublished: s.RetainAsPublished, RetainHandling: s.RetainHandling,
			})
		}
		same(t, want, fromPaho(t, SUBSCRIBE, sent))
	}
}

func TestUnsubscribeFromPaho(t *testing.T) {
	m := newMaker()
	for range rounds {
		sent := &paho.Unsubscribe{PacketID: m.id(), Properties: &paho.Properties{User: m.users()}}
		for range 1 + m.IntN(4) {
			sent.Topics = append(sent.Topics, m.filter())
		}
		same(t, &Unsubscribe{PacketID: sent.PacketID, Filters: sent.Topics}, fromPaho(t, UNSUBSCRIBE, sent))
	}
}

func TestAcksFromPaho(t *testing.T) {
	m := newMaker()
	puback := []Reason{Success, NoMatchingSubscribers, UnspecifiedError, QuotaExceeded}
	pubrel := []Reason{Success, PacketIDNotFound}
	for range rounds {
		id, one, other := m.id(), puback[m.IntN(len(puback))], pubrel[m.IntN(len(pubrel))]
		props := &paho.Properties{User: m.users(), ReasonString: m.text()}
		same(t, &Ack{id, one}, fromPaho(t, PUBACK, &paho.Puback{PacketID: id, ReasonCode: byte(one), Properties: props}))
		same(t, &Ack{id, one}, fromPaho(t, PUBREC, &paho.Pubrec{PacketID: id, ReasonCode: byte(one), Properties: props}))
		same(t, &Ack{id, other}, fromPaho(t, PUBREL, &paho.Pubrel{PacketID: id, ReasonCode: byte(other), Properties: props}))
		same(t, &Ack{id, other}, fromPaho(t, PUBCOMP, &paho.Pubcomp{PacketID: id, ReasonCode: byte(other), Properties: props}))
	}
}

func TestDisconnectFromPaho(t *testing.T) {
	m := newMaker()
	reasons := []Reason{Success, DisconnectWithWill, UnspecifiedError, PacketTooLarge}
	for range rounds {
		sent := &paho.Disconnect{
			ReasonCode: byte(reasons[m.IntN(len(reasons))]),
			Properties: &paho.Properties{SessionExpiryInterval: either(m, m.uint32()), ReasonString: m.text(), User: m.users()},
		}
		same(t, &Disconnect{
			Reason: Reason(sent.ReasonCode), HasSessionExpiry: sent.Properties.SessionExpiryInterval != nil,
			SessionExpiry: or(sent.Properties.SessionExpiryInterval, 0), ReasonString: sent.Properties.ReasonString,
		}, fromPaho(t, DISCONNECT, sent))
	}
}

func TestAuthFromPaho(t *testing.T) {
	m := newMaker()
	for range rounds {
		sent := &paho.Auth{ReasonCode: byte(0x18 + m.IntN(2)), Properties: &paho.Properties{
			AuthMethod: m.some(), AuthData: m.data(), ReasonString: m.text(), User: m.users(),
		}}
		same(t, &Auth{
			Reason: Reason(sent.ReasonCode), AuthenticationMethod: sent.Properties.AuthMethod, AuthenticationData: sent.Properties.AuthData,
		}, fromPaho(t, AUTH, sent))
	}
}

func TestPingreqFromPaho(t *testing.T) {
	var b bytes.Buffer
	if _, err := (&paho.Pingreq{}).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if h, n, err := ParseHeader(b.Bytes()); err != nil || n != b.Len() || h != (Header{Type: PINGREQ}) {
		t.Errorf("header %v of %d bytes, %v", h, n, err)
	}
}

// no is the value of a property that says what a server does not do.
func no(unavailable bool) *byte {
	if !unavailable {
		return nil
	}
	return new(byte)
}

func TestConnackToPaho(t *testing.T) {
	m := newMaker()
	for range rounds {
		sent := Connack{
			SessionPresent: m.maybe(), ReceiveMaximum: m.id(), MaximumQoS: byte(m.IntN(2)), RetainUnavailable: m.maybe(),
			MaximumPacketSize: 1 + m.uint32()/2, AssignedClientID: m.text(), TopicAliasMaximum: m.id(), ReasonString: m.text(),
			WildcardUnavailable: m.maybe(), SubscriptionIDsUnavailable: m.maybe(), SharedUnavailable: m.maybe(),
		}
		want := &paho.Connack{SessionPresent: sent.SessionPresent, Properties: &paho.Properties{
			ReceiveMaximum: &sent.ReceiveMaximum, MaximumQOS: &sent.MaximumQoS, RetainAvailable: no(sent.RetainUnavailable),
			MaximumPacketSize: &sent.MaximumPacketSize, AssignedClientID: sent.AssignedClientID,
			TopicAliasMaximum: &sent.TopicAliasMaximum, ReasonString: sent.ReasonString,
			WildcardSubAvailable: no(sent.WildcardUnavailable), SubIDAvailable: no(sent.SubscriptionIDsUnavailable),
			SharedSubAvailable: no(sent.SharedUnavailable),
		}}
		if m.maybe() {
			sent.HasSessionExpiry, sent.SessionExpiry = true, m.uint32()
			sent.HasServerKeepAlive, sent.ServerKeepAlive = true, m.uint16()
			want.Properties.SessionExpiryInterval, want.Properties.ServerKeepAlive = &sent.SessionExpiry, &sent.ServerKeepAlive
		}
		if m.maybe() {
			sent.Reason, want.ReasonCode, want.SessionPresent = NotAuthorized, 0x87, false
		}
		same(t, paho.Packet(want), toPaho(t, sent.Append(nil, V5)))
	}
}

func TestAcksToPaho(t *testing.T) {
	m := newMaker()
	for range rounds {
		id, reason := m.id(), m.text()
		props := &paho.Properties{ReasonString: reason}
		var codes []byte
		var reasons []Reason
		for range 1 + m.IntN(4) {
			code := []Reason{Success, GrantedQoS1, NotAuthorized, TopicFilterInvalid}[m.IntN(4)]
			codes, reasons = append(codes, byte(code)), append(reasons, code)
		}
		same(t, paho.Packet(&paho.Puback{PacketID: id, ReasonCode: codes[0], Properties: props}),
			toPaho(t, AppendPuback(nil, V5, id, reasons[0], reason)))
		same(t, paho.Packet(&paho.Suback{PacketID: id, Reasons: codes, Properties: props}),
			toPaho(t, (&Suback{PacketID: id, Reasons: reasons, ReasonString: reason}).Append(nil, V5)))
		same(t, paho.Packet(&paho.Unsuback{PacketID: id, Reasons: codes, Properties: props}),
			toPaho(t, (&Unsuback{PacketID: id, Reasons: reasons, ReasonString: reason}).Append(nil, V5)))
		same(t, paho.Packet(&paho.Disconnect{ReasonCode: codes[0], Properties: props}),
			toPaho(t, (&Disconnect{Reason: reasons[0], ReasonString: reason}).Append(nil, V5)))
	}
}

func TestPingrespToPaho(t *testing.T) {
	same(t, paho.Packet(&paho.Pingresp{}), toPaho(t, AppendPingresp(nil)))
}
