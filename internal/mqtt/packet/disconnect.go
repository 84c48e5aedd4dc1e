package packet

// Decode reads the body of a DISCONNECT that a client sent. In version 5 it may be empty, which is a normal disconnection,
// and may end after the reason code (section 3.14.2). User properties are checked and left.
func (p *Disconnect) Decode(body []byte, v Version) error {
	*p = Disconnect{}
	r := reader{rest: body}
	if v == V5 && len(r.rest) > 0 {
		p.Reason = Reason(r.byte())
		p.properties(&r)
	}
	if !p.Reason.inDisconnect() {
		r.fail(ProtocolError, "a client does not disconnect with this reason code")
	}
	return r.end()
}

func (p *Disconnect) properties(r *reader) {
	if len(r.rest) == 0 {
		return
	}
	ps := r.properties(ofDisconnect)
	for id := ps.next(r); id != 0; id = ps.next(r) {
		switch id {
		case sessionExpiry:
			p.HasSessionExpiry = true
			p.SessionExpiry = r.uint32()
		case reasonString:
			p.ReasonString = r.text()
		case serverReference:
			r.fail(ProtocolError, "a client sends no server reference")
		}
	}
}

// inDisconnect tells whether a client may send the reason code in a DISCONNECT (section 3.14.2.1).
func (r Reason) inDisconnect() bool {
	switch r {
	case Success, DisconnectWithWill, UnspecifiedError, MalformedPacket, ProtocolError, ImplementationSpecificError,
		TopicNameInvalid, ReceiveMaximumExceeded, TopicAliasInvalid, PacketTooLarge, MessageRateTooHigh,
		QuotaExceeded, AdministrativeAction, PayloadFormatInvalid:
		return true
	default:
		return false
	}
}

// Append writes a DISCONNECT of version 5; in version 3.1.1 a server sends none, and nothing is written. A session expiry
// is left out, since only a client sends it (section 3.14.2.2.2).
func (p *Disconnect) Append(b []byte, v Version) []byte {
	if v != V5 {
		return b
	}
	start := len(b)
	b = append(b, byte(DISCONNECT)<<4)
	return finish(appendExplanation(b, p.Reason, p.ReasonString), start, nil)
}
