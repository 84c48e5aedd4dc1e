package packet

import "encoding/binary"

// Decode reads the body of a PUBACK, PUBREC, PUBREL or PUBCOMP. In version 5 it may end after the packet identifier, which
// means success, and after the reason code (section 3.4.2.1). The reason string and the user properties are checked and
// left. Which reason codes there are depends on the type; see [Ack.Check].
func (p *Ack) Decode(body []byte, v Version) error {
	r := reader{rest: body}
	*p = Ack{PacketID: r.packetID()}
	if v == V5 && len(r.rest) > 0 {
		p.Reason = Reason(r.byte())
		r.explanation()
	}
	if !p.Reason.inPuback() && !p.Reason.inPubrel() {
		r.fail(ProtocolError, "the reason code is none of an acknowledgement")
	}
	return r.end()
}

// Check tells whether a packet of that type may have the reason code (sections 3.4.2.1, 3.5.2.1, 3.6.2.1 and 3.7.2.1).
func (p *Ack) Check(t Type) error {
	allowed := false
	switch t {
	case PUBACK, PUBREC:
		allowed = p.Reason.inPuback()
	case PUBREL, PUBCOMP:
		allowed = p.Reason.inPubrel()
	}
	if !allowed {
		return &Error{ProtocolError, "the reason code does not belong to " + t.String()}
	}
	return nil
}

func (r Reason) inPuback() bool {
	switch r {
	case Success, NoMatchingSubscribers, UnspecifiedError, ImplementationSpecificError, NotAuthorized,
		TopicNameInvalid, PacketIDInUse, QuotaExceeded, PayloadFormatInvalid:
		return true
	default:
		return false
	}
}

func (r Reason) inPubrel() bool { return r == Success || r == PacketIDNotFound }

// explanation reads the properties that may follow a reason code: a reason string and user properties. They may be missing.
func (r *reader) explanation() {
	if len(r.rest) == 0 {
		return
	}
	ps := r.properties(ofAck)
	for ps.next(r) == reasonString {
		r.text()
	}
}

// AppendPuback writes a PUBACK. It is as short as it can be (section 3.4.2.1): without properties if there is no reason
// string, and without the reason code if that is Success. Version 3.1.1 has neither.
func AppendPuback(b []byte, v Version, id uint16, r Reason, reason string) []byte {
	start := len(b)
	b = append(b, byte(PUBACK)<<4)
	b = binary.BigEndian.AppendUint16(b, id)
	if v == V5 && (r != Success || reason != "") {
		b = appendExplanation(b, r, reason)
	}
	return finish(b, start, nil)
}

// appendExplanation writes a reason code and, if there is one, a reason string.
func appendExplanation(b []byte, r Reason, reason string) []byte {
	b = append(b, byte(r))
	if reason == "" {
		return b
	}
	start := len(b)
	return closeProperties(appendReason(b, reason), start)
}
