package packet

// A Version is a protocol level, as CONNECT gives it (section 3.1.2.2).
type Version byte

// The protocol levels. V31 (MQIsdp) is recognised so that it can be refused politely.
const (
	V31  Version = 3
	V311 Version = 4
	V5   Version = 5
)

// A Type is the type of a control packet (section 2.1.2).
type Type byte

// The control packet types.
const (
	CONNECT Type = iota + 1
	CONNACK
	PUBLISH
	PUBACK
	PUBREC
	PUBREL
	PUBCOMP
	SUBSCRIBE
	SUBACK
	UNSUBSCRIBE
	UNSUBACK
	PINGREQ
	PINGRESP
	DISCONNECT
	AUTH
)

// A Header is a fixed header (section 2.1.1).
type Header struct {
	Type   Type
	Flags  byte // the lower four bits of the first byte
	Length int  // bytes that follow the fixed header: the remaining length
}

// UserProperties are the user properties of a packet as they are encoded, already checked (section 2.2.2.2). Other
// properties may lie between them: All lists only the user properties, and Append adds one.
type UserProperties []byte

// A Connect is a CONNECT packet (section 3.1).
type Connect struct {
	Version     Version
	CleanStart  bool
	KeepAlive   uint16 // seconds; 0 is none
	ClientID    string
	HasUsername bool
	Username    string
	HasPassword bool
	Password    []byte
	Will        *Will

	// Properties of version 5, with the specification's defaults where they are absent.
	SessionExpiry           uint32 // seconds
	ReceiveMaximum          uint16 // of the client; 65535 by default
	MaximumPacketSize       uint32 // of the client, in bytes; 0 is no limit
	TopicAliasMaximum       uint16
	RequestResponse         bool
	RequestProblem          bool // true by default: reason strings and user properties may be sent
	HasAuthenticationMethod bool
	AuthenticationMethod    string
	AuthenticationData      []byte
	UserProperties          UserProperties
}

// A Will is the will message of a CONNECT (section 3.1.2.5).
type Will struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool

	// Properties of version 5.
	DelayInterval   uint32 // seconds
	PayloadFormat   byte   // 1 is UTF-8
	MessageExpiry   uint32 // seconds; 0 is none
	ContentType     string
	ResponseTopic   string
	CorrelationData []byte
	UserProperties  UserProperties
}

// A Publish is a PUBLISH packet in either direction (section 3.3). QoS 2 decodes, so that it can be refused.
type Publish struct {
	Dup      bool
	QoS      byte
	Retain   bool
	Topic    string // "" with a topic alias
	PacketID uint16 // 0 with QoS 0
	Payload  []byte

	// Properties of version 5.
	PayloadFormat    byte // 1 is UTF-8
	HasMessageExpiry bool
	MessageExpiry    uint32 // seconds
	ContentType      string
	ResponseTopic    string
	CorrelationData  []byte
	TopicAlias       uint16   // 0 is none; a client that sends 0 breaks the protocol
	SubscriptionIDs  []uint32 // only a server sends them
	UserProperties   UserProperties
}

// An Ack is a PUBACK, PUBREC, PUBREL or PUBCOMP packet that a client sends (sections 3.4 to 3.7).
type Ack struct {
	PacketID uint16
	Reason   Reason
}

// A Subscribe is a SUBSCRIBE packet (section 3.8). It has at least one subscription.
type Subscribe struct {
	PacketID       uint16
	SubscriptionID uint32 // 0 is none
	Subscriptions  []Subscription
	UserProperties UserProperties
}

// A Subscription is one topic filter with its options (section 3.8.3.1). The filter is well-formed (section 4.7).
type Subscription struct {
	Filter            string
	QoS               byte
	NoLocal           bool
	RetainAsPublished bool
	RetainHandling    byte
}

// An Unsubscribe is an UNSUBSCRIBE packet (section 3.10). It has at least one filter.
type Unsubscribe struct {
	PacketID uint16
	Filters  []string
}

// A Disconnect is a DISCONNECT packet in either direction (section 3.14). Version 3.1.1 has none of its fields, and no
// server sends it there.
type Disconnect struct {
	Reason           Reason
	HasSessionExpiry bool
	SessionExpiry    uint32 // seconds
	ReasonString     string
}

// An Auth is an AUTH packet (section 3.15).
type Auth struct {
	Reason               Reason
	AuthenticationMethod string
	AuthenticationData   []byte
}

// A Connack is a CONNACK packet (section 3.2). Properties are left out where they have the specification's default.
type Connack struct {
	SessionPresent bool
	Reason         Reason // of version 5
	Return         byte   // of version 3.1.1 (its section 3.2.2.3); ignored by version 5

	HasSessionExpiry           bool
	SessionExpiry              uint32
	ReceiveMaximum             uint16 // 0 leaves it out
	MaximumQoS                 byte   // 2 leaves it out
	RetainUnavailable          bool
	MaximumPacketSize          uint32 // 0 leaves it out
	AssignedClientID           string
	TopicAliasMaximum          uint16
	ReasonString               string
	WildcardUnavailable        bool
	SubscriptionIDsUnavailable bool
	SharedUnavailable          bool
	HasServerKeepAlive         bool
	ServerKeepAlive            uint16
}

// A Suback is a SUBACK packet (section 3.9). In version 3.1.1 every reason that refuses becomes 0x80.
type Suback struct {
	PacketID     uint16
	Reasons      []Reason
	ReasonString string
}

// An Unsuback is an UNSUBACK packet (section 3.11). Version 3.1.1 has no reasons.
type Unsuback struct {
	PacketID     uint16
	Reasons      []Reason
	ReasonString string
}

// An Error is a packet that breaks the specification.
type Error struct {
	Reason Reason // what MQTT 5 answers, such as MalformedPacket or ProtocolError
	What   string // what is wrong, in English, without content of the packet
}

func (e *Error) Error() string { return e.What }
