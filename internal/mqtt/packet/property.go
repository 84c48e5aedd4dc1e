package packet

// A property is the identifier of a property (section 2.2.2.2). It is encoded as a variable byte integer, of which all
// that exist take one byte.
type property byte

const (
	payloadFormat            property = 0x01
	messageExpiry            property = 0x02
	contentType              property = 0x03
	responseTopic            property = 0x08
	correlationData          property = 0x09
	subscriptionID           property = 0x0B
	sessionExpiry            property = 0x11
	assignedClientID         property = 0x12
	serverKeepAlive          property = 0x13
	authenticationMethod     property = 0x15
	authenticationData       property = 0x16
	requestProblem           property = 0x17
	willDelay                property = 0x18
	requestResponse          property = 0x19
	serverReference          property = 0x1C
	reasonString             property = 0x1F
	receiveMaximum           property = 0x21
	topicAliasMaximum        property = 0x22
	topicAlias               property = 0x23
	maximumQoS               property = 0x24
	retainAvailable          property = 0x25
	userProperty             property = 0x26
	maximumPacketSize        property = 0x27
	wildcardAvailable        property = 0x28
	subscriptionIDsAvailable property = 0x29
	sharedAvailable          property = 0x2A
)

// A propertySet has a bit for each property.
type propertySet uint64

// The properties that a packet may have.
const (
	ofConnect propertySet = 1<<sessionExpiry | 1<<receiveMaximum | 1<<maximumPacketSize | 1<<topicAliasMaximum |
		1<<requestResponse | 1<<requestProblem | 1<<userProperty | 1<<authenticationMethod | 1<<authenticationData
	ofWill propertySet = 1<<willDelay | 1<<payloadFormat | 1<<messageExpiry | 1<<contentType | 1<<responseTopic |
		1<<correlationData | 1<<userProperty
	ofPublish propertySet = 1<<payloadFormat | 1<<messageExpiry | 1<<contentType | 1<<responseTopic |
		1<<correlationData | 1<<topicAlias | 1<<subscriptionID | 1<<userProperty
	ofAck         propertySet = 1<<reasonString | 1<<userProperty
	ofSubscribe   propertySet = 1<<subscriptionID | 1<<userProperty
	ofUnsubscribe propertySet = 1 << userProperty
	ofDisconnect  propertySet = 1<<sessionExpiry | 1<<reasonString | 1<<serverReference | 1<<userProperty
	ofAuth        propertySet = 1<<authenticationMethod | 1<<authenticationData | 1<<reasonString | 1<<userProperty
)

// properties are on the way through the properties of a packet. Meanwhile the reader ends where the properties end.
//
// They hold no reader: what goes from here into the packet would take it to the heap.
type properties struct {
	after         []byte // what follows the properties
	allowed, seen propertySet
	fromUser      []byte         // from the first user property on
	user          UserProperties // from the first user property to the last, with what lies between them
}

// properties begins to read properties, of which some are allowed.
func (r *reader) properties(allowed propertySet) properties {
	n := int(r.varint())
	if len(r.rest) < n {
		r.short()
		return properties{}
	}
	ps := properties{after: r.rest[n:], allowed: allowed}
	r.rest = r.rest[:n]
	return ps
}

// next goes to the next property, whose value the caller has to read; user properties are read here. 0 is the end: the
// reader is then behind the properties, or has a fault.
func (ps *properties) next(r *reader) property {
	for len(r.rest) > 0 {
		start := r.rest
		id := property(r.byte())
		switch {
		case !ps.admit(r, id):
			return 0
		case id != userProperty:
			return id
		}
		r.text()
		r.text()
		ps.keepUser(r, start)
	}
	if r.fault == nil {
		r.rest = ps.after
	}
	return 0
}

// admit checks that the packet may have a property, and for the first time if it is not a user property.
func (ps *properties) admit(r *reader, id property) bool {
	bit := propertySet(1) << id // 0 beyond the last bit
	switch {
	case ps.allowed&bit == 0:
		r.fail(MalformedPacket, "a property does not exist or does not belong to the packet")
		return false
	case ps.seen&bit != 0 && id != userProperty:
		r.fail(ProtocolError, "a property is there twice")
		return false
	}
	ps.seen |= bit
	return true
}

func (ps *properties) has(id property) bool { return ps.seen&(1<<id) != 0 }

// keepUser extends the user properties to the one that has just been read.
func (ps *properties) keepUser(r *reader, start []byte) {
	if r.fault != nil {
		return
	}
	if ps.fromUser == nil {
		ps.fromUser = start
	}
	n := len(ps.fromUser) - len(r.rest)
	ps.user = UserProperties(ps.fromUser[:n:n])
}

// boolean reads the byte of a property that says yes or no.
func (r *reader) boolean() bool { return r.bit() == 1 }

// bit reads the byte of a property that is 0 or 1.
func (r *reader) bit() byte {
	value := r.byte()
	if value > 1 {
		r.fail(ProtocolError, "a property is neither 0 nor 1")
	}
	return value
}

// positive16 reads a two byte integer that is not 0.
func (r *reader) positive16() uint16 {
	value := r.uint16()
	if value == 0 {
		r.fail(ProtocolError, "a property is 0 that must not be")
	}
	return value
}

// positive32 reads a four byte integer that is not 0.
func (r *reader) positive32() uint32 {
	value := r.uint32()
	if value == 0 {
		r.fail(ProtocolError, "a property is 0 that must not be")
	}
	return value
}
