package packet

import "iter"

// All lists the user properties in their order; a name may come several times. Name and value lie in the packet's buffer.
// It does not allocate.
func (u UserProperties) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) { u.each(yield) }
}

// each steps over what lies between user properties: other properties, which need not be in front of them or behind.
func (u UserProperties) each(yield func(name, value string) bool) {
	r := reader{rest: u}
	for len(r.rest) > 0 {
		id := property(r.byte())
		if id != userProperty {
			r.skip(id)
			continue
		}
		name, value := asString(r.binary()), asString(r.binary())
		if r.fault != nil || !yield(name, value) {
			return
		}
	}
}

// skip steps over the value of a property that a client may send.
func (r *reader) skip(id property) {
	switch id {
	case payloadFormat, requestProblem, requestResponse:
		r.byte()
	case receiveMaximum, topicAliasMaximum, topicAlias:
		r.uint16()
	case messageExpiry, sessionExpiry, willDelay, maximumPacketSize:
		r.uint32()
	case subscriptionID:
		r.varint()
	case contentType, responseTopic, correlationData, authenticationMethod, authenticationData, reasonString:
		r.binary()
	default:
		r.fail(MalformedPacket, "not a property of a client")
	}
}

// Append adds a user property. What does not fit in 65,535 bytes is cut off.
func (u UserProperties) Append(name, value string) UserProperties {
	return appendString(userProperty.appendString(u, name), value)
}

// appendTo writes the user properties without what lies between them.
func (u UserProperties) appendTo(b []byte) []byte {
	for name, value := range u.All() {
		b = UserProperties(b).Append(name, value)
	}
	return b
}
