package packet

import "encoding/binary"

// The subscription options (section 3.8.3.1). Version 3.1.1 has only the QoS.
const (
	optionQoS               = 0x03
	optionNoLocal           = 0x04
	optionRetainAsPublished = 0x08
	optionRetainHandling    = 0x30
	optionReserved          = 0xC0
)

// Decode reads the body of a SUBSCRIBE. The filters lie in the body; the slice of subscriptions is used again.
func (p *Subscribe) Decode(body []byte, v Version) error {
	r := reader{rest: body}
	*p = Subscribe{PacketID: r.packetID(), Subscriptions: p.Subscriptions[:0]}
	if v == V5 {
		p.properties(&r)
	}
	if r.fault == nil && len(r.rest) == 0 {
		r.fail(ProtocolError, "there is no topic filter")
	}
	for len(r.rest) > 0 {
		p.Subscriptions = append(p.Subscriptions, readSubscription(&r, v))
	}
	return r.end()
}

func (p *Subscribe) properties(r *reader) {
	ps := r.properties(ofSubscribe)
	for ps.next(r) == subscriptionID {
		if p.SubscriptionID = r.varint(); p.SubscriptionID == 0 {
			r.fail(ProtocolError, "the subscription identifier is 0")
		}
	}
	p.UserProperties = ps.user
}

// readSubscription reads a topic filter with its options.
func readSubscription(r *reader, v Version) Subscription {
	filter, shared := r.topicFilter(v)
	options := r.byte()
	s := Subscription{
		Filter:            filter,
		QoS:               options & optionQoS,
		NoLocal:           options&optionNoLocal != 0,
		RetainAsPublished: options&optionRetainAsPublished != 0,
		RetainHandling:    options & optionRetainHandling >> 4,
	}
	switch {
	case options&optionReserved != 0, v < V5 && options > 2:
		r.fail(MalformedPacket, "a reserved bit of the subscription options is set")
	case s.QoS == 3:
		r.fail(ProtocolError, "the QoS of a subscription is 3")
	case s.RetainHandling == 3:
		r.fail(ProtocolError, "the retain handling of a subscription is 3")
	case s.NoLocal && shared:
		r.fail(ProtocolError, "a shared subscription has the option No Local")
	}
	return s
}

// Append writes a SUBACK. In version 3.1.1 every reason that refuses is 0x80 (its section 3.9.3).
func (p *Suback) Append(b []byte, v Version) []byte {
	start := len(b)
	b = append(b, byte(SUBACK)<<4)
	b = binary.BigEndian.AppendUint16(b, p.PacketID)
	if v == V5 {
		properties := len(b)
		b = closeProperties(appendReason(b, p.ReasonString), properties)
	}
	for _, reason := range p.Reasons {
		if v < V5 && reason.Refuses() {
			reason = UnspecifiedError
		}
		b = append(b, byte(reason))
	}
	return finish(b, start, nil)
}
