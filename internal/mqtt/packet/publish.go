package packet

import "encoding/binary"

// The flags of a PUBLISH (section 3.3.1).
const (
	flagDup    = 0x08
	flagQoS    = 0x06
	flagRetain = 0x01
)

// Decode reads the body of a PUBLISH that a client sent; flags are those of its fixed header. Whatever p held is gone. All
// of it lies in the body: nothing is allocated.
//
// The payload is not compared with the payload format: that is refused with PayloadFormatInvalid, not as a broken packet.
func (p *Publish) Decode(flags byte, body []byte, v Version) error {
	*p = Publish{Dup: flags&flagDup != 0, QoS: flags & flagQoS >> 1, Retain: flags&flagRetain != 0}
	r := reader{rest: body}
	switch {
	case p.QoS == 3:
		r.fail(MalformedPacket, "the QoS is 3")
	case p.QoS == 0 && p.Dup:
		r.fail(MalformedPacket, "a message of QoS 0 is marked as sent again")
	}
	p.Topic = r.text()
	r.noWildcards(p.Topic)
	if p.QoS > 0 {
		p.PacketID = r.packetID()
	}
	if v == V5 {
		p.properties(&r)
	}
	switch {
	case r.fault != nil || p.Topic != "" || p.TopicAlias != 0:
	case v == V5:
		r.fail(ProtocolError, "there is neither a topic nor a topic alias")
	default:
		r.fail(MalformedPacket, "a topic name is empty")
	}
	p.Payload = r.rest[:len(r.rest):len(r.rest)]
	r.rest = nil
	return r.end()
}

// properties reads the properties of a PUBLISH (section 3.3.2.3).
func (p *Publish) properties(r *reader) {
	ps := r.properties(ofPublish)
	for id := ps.next(r); id != 0; id = ps.next(r) {
		switch id {
		case payloadFormat:
			p.PayloadFormat = r.bit()
		case messageExpiry:
			p.HasMessageExpiry = true
			p.MessageExpiry = r.uint32()
		case contentType:
			p.ContentType = r.text()
		case responseTopic:
			p.ResponseTopic = r.topicName()
		case correlationData:
			p.CorrelationData = r.binary()
		case topicAlias:
			if p.TopicAlias = r.uint16(); p.TopicAlias == 0 {
				r.fail(TopicAliasInvalid, "the topic alias is 0")
			}
		case subscriptionID:
			r.fail(ProtocolError, "a client sends no subscription identifier")
		}
	}
	p.UserProperties = ps.user
}

// Append writes a PUBLISH. Version 3.1.1 has no properties. Dup and PacketID count only with QoS 1 and 2.
func (p *Publish) Append(b []byte, v Version) []byte {
	start := len(b)
	b = append(b, byte(PUBLISH)<<4|p.flags())
	b = appendString(b, p.Topic)
	if p.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, p.PacketID)
	}
	if v == V5 {
		b = p.appendProperties(b)
	}
	return finish(b, start, p.Payload)
}

func (p *Publish) flags() byte {
	flags := p.QoS << 1
	if p.Dup && p.QoS > 0 {
		flags |= flagDup
	}
	if p.Retain {
		flags |= flagRetain
	}
	return flags
}

func (p *Publish) appendProperties(b []byte) []byte {
	start := len(b)
	if p.PayloadFormat != 0 {
		b = payloadFormat.appendByte(b, p.PayloadFormat)
	}
	if p.HasMessageExpiry {
		b = messageExpiry.appendUint32(b, p.MessageExpiry)
	}
	if p.ContentType != "" {
		b = contentType.appendString(b, p.ContentType)
	}
	if p.ResponseTopic != "" {
		b = responseTopic.appendString(b, p.ResponseTopic)
	}
	if p.CorrelationData != nil {
		b = appendBinary(append(b, byte(correlationData)), p.CorrelationData)
	}
	if p.TopicAlias != 0 {
		b = topicAlias.appendUint16(b, p.TopicAlias)
	}
	for _, id := range p.SubscriptionIDs {
		b = appendVarint(append(b, byte(subscriptionID)), int(id))
	}
	b = p.UserProperties.appendTo(b)
	return closeProperties(b, start)
}
