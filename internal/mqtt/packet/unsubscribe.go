package packet

import "encoding/binary"

// Decode reads the body of an UNSUBSCRIBE. The filters lie in the body; the slice of filters is used again. User
// properties are checked and left.
func (p *Unsubscribe) Decode(body []byte, v Version) error {
	r := reader{rest: body}
	*p = Unsubscribe{PacketID: r.packetID(), Filters: p.Filters[:0]}
	if v == V5 {
		ps := r.properties(ofUnsubscribe)
		ps.next(&r)
	}
	if r.fault == nil && len(r.rest) == 0 {
		r.fail(ProtocolError, "there is no topic filter")
	}
	for len(r.rest) > 0 {
		filter, _ := r.topicFilter(v)
		p.Filters = append(p.Filters, filter)
	}
	return r.end()
}

// Append writes an UNSUBACK. Version 3.1.1 has neither reasons nor a reason string.
func (p *Unsuback) Append(b []byte, v Version) []byte {
	start := len(b)
	b = append(b, byte(UNSUBACK)<<4)
	b = binary.BigEndian.AppendUint16(b, p.PacketID)
	if v == V5 {
		properties := len(b)
		b = closeProperties(appendReason(b, p.ReasonString), properties)
		for _, reason := range p.Reasons {
			b = append(b, byte(reason))
		}
	}
	return finish(b, start, nil)
}
