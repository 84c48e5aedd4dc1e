package packet

// Append writes a CONNACK. There is no session where the client is refused, whatever SessionPresent says (section 3.2.2.1.1).
func (p *Connack) Append(b []byte, v Version) []byte {
	code := p.Return
	if v == V5 {
		code = byte(p.Reason)
	}
	start := len(b)
	b = append(b, byte(CONNACK)<<4, bit(p.SessionPresent && code == 0), code)
	if v == V5 {
		properties := len(b)
		b = closeProperties(p.appendLimits(p.appendSession(b)), properties)
	}
	return finish(b, start, nil)
}

// appendSession writes the properties that are about the session and the answer.
func (p *Connack) appendSession(b []byte) []byte {
	if p.HasSessionExpiry {
		b = sessionExpiry.appendUint32(b, p.SessionExpiry)
	}
	if p.AssignedClientID != "" {
		b = assignedClientID.appendString(b, p.AssignedClientID)
	}
	if p.HasServerKeepAlive {
		b = serverKeepAlive.appendUint16(b, p.ServerKeepAlive)
	}
	return appendReason(b, p.ReasonString)
}

// appendLimits writes the properties that say what the server takes and what it does not do.
func (p *Connack) appendLimits(b []byte) []byte {
	if p.ReceiveMaximum != 0 {
		b = receiveMaximum.appendUint16(b, p.ReceiveMaximum)
	}
	if p.MaximumQoS < 2 {
		b = maximumQoS.appendByte(b, p.MaximumQoS)
	}
	if p.RetainUnavailable {
		b = retainAvailable.appendByte(b, 0)
	}
	if p.MaximumPacketSize != 0 {
		b = maximumPacketSize.appendUint32(b, p.MaximumPacketSize)
	}
	if p.TopicAliasMaximum != 0 {
		b = topicAliasMaximum.appendUint16(b, p.TopicAliasMaximum)
	}
	if p.WildcardUnavailable {
		b = wildcardAvailable.appendByte(b, 0)
	}
	if p.SubscriptionIDsUnavailable {
		b = subscriptionIDsAvailable.appendByte(b, 0)
	}
	if p.SharedUnavailable {
		b = sharedAvailable.appendByte(b, 0)
	}
	return b
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}
