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

// properties walk over the properties of a packet. While they do, their reader ends where the properties end.
type properties struct {
	*reader
	after         []byte // what follows the properties
	allowed, seen propertySet
	firstUser     []byte         // from the first user property on
	user          UserProperties // from the first user property to the last, with what lies between them
}

// properties begins to read properties, of which some are allowed.
func (r *reader) properties(allowed propertySet) properties {
	n := int(r.varint())
	if len(r.rest) < n {
		r.short()
		return properties{reader: r}
	}
	ps := properties{reader: r, after: r.rest[n:], allowed: allowed}
	r.rest = r.rest[:n]
	return ps
}

// next goes to the next property, whose value the caller has to read; user properties are read here. 0 is the end: the
// reader is then behind the properties, or has a fault.
func (ps *properties) next() property {
	for len(ps.rest) > 0 {
		start := ps.rest
		id := property(ps.byte())
		switch {
		case !ps.admit(id):
			return 0
		case id != userProperty:
			return id
		}
		ps.text()
		ps.text()
		ps.keepUser(start)
	}
	if ps.fault == nil {
		ps.rest = ps.after
	}
	return 0
}

// admit checks that the packet may have a property, and for the first time if it is not a user property.
func (ps *properties) admit(id property) bool {
	bit := propertySet(1) << id // 0 beyond the last bit
	switch {
	case ps.allowed&bit == 0:
		ps.fail(MalformedPacket, "a property does not exist or does not belong to the packet")
		return false
	case ps.seen&bit != 0 && id != userProperty:
		ps.fail(ProtocolError, "a property is there twice")
		return false
	}
	ps.seen |= bit
	return true
}

func (ps *properties) has(id property) bool { return ps.seen&(1<<id) != 0 }

// keepUser extends the user properties to the one that has just been read.
func (ps *properties) keepUser(start []byte) {
	if ps.fault != nil {
		return
	}
	if ps.firstUser == nil {
		ps.firstUser = start
	}
	n := len(ps.firstUser) - len(ps.rest)
	ps.user = UserProperties(ps.firstUser[:n:n])
}

// boolean reads a byte that is 0 or 1, as most bytes among the properties are.
func (ps *properties) boolean() bool { return ps.bit() == 1 }

func (ps *properties) bit() byte {
	value := ps.byte()
	if value > 1 {
		ps.fail(ProtocolError, "a property is neither 0 nor 1")
	}
	return value
}

// positive16 reads a two byte integer that is not 0.
func (ps *properties) positive16() uint16 {
	value := ps.uint16()
	if value == 0 {
		ps.fail(ProtocolError, "a property is 0 that must not be")
	}
	return value
}

// positive32 reads a four byte integer that is not 0.
func (ps *properties) positive32() uint32 {
	value := ps.uint32()
	if value == 0 {
		ps.fail(ProtocolError, "a property is 0 that must not be")
	}
	return value
}

// subscriptionID reads a subscription identifier: 1 to 268,435,455 (section 3.8.2.1.2).
func (ps *properties) subscriptionID() uint32 {
	value := ps.varint()
	if value == 0 {
		ps.fail(ProtocolError, "the subscription identifier is 0")
	}
	return value
}
