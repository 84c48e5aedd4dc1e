package packet

// The connect flags (section 3.1.2.3).
const (
	flagReserved   = 0x01
	flagCleanStart = 0x02
	flagWill       = 0x04
	flagWillQoS    = 0x18
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUsername   = 0x80
)

// Decode reads the body of a CONNECT. What it leaves in p after an error is not to be used, but for the Version: it is
// the one that the client asked for, so that it can be refused in its own words, or 0.
//
// An empty client identifier is no error, though version 3.1.1 allows it only with a clean session (its section 3.1.3.1):
// it has an answer of its own, return code 2.
func (p *Connect) Decode(body []byte) error {
	*p = Connect{ReceiveMaximum: 0xFFFF, RequestProblem: true}
	r := reader{rest: body}
	p.protocol(&r)
	flags := r.byte()
	p.checkFlags(&r, flags)
	p.CleanStart = flags&flagCleanStart != 0
	p.KeepAlive = r.uint16()
	if p.Version == V5 {
		p.properties(&r)
	}
	p.ClientID = r.text()
	if flags&flagWill != 0 {
		p.Will = readWill(&r, p.Version, flags)
	}
	if p.HasUsername = flags&flagUsername != 0; p.HasUsername {
		p.Username = r.text()
	}
	if p.HasPassword = flags&flagPassword != 0; p.HasPassword {
		p.Password = r.binary()
	}
	return r.end()
}

// protocol reads the protocol name and version (sections 3.1.2.1 and 3.1.2.2).
func (p *Connect) protocol(r *reader) {
	name, version := r.text(), Version(r.byte())
	if r.fault != nil {
		return
	}
	switch {
	case name == "MQTT" && (version == V311 || version == V5), name == "MQIsdp" && version == V31:
		p.Version = version
	default:
		r.fail(UnsupportedProtocolVersion, "the protocol is neither MQTT 3.1.1 nor 5")
	}
}

func (p *Connect) checkFlags(r *reader, flags byte) {
	switch {
	case flags&flagReserved != 0 && p.Version != V31:
		r.fail(MalformedPacket, "the reserved connect flag is set")
	case flags&flagWill == 0 && flags&(flagWillQoS|flagWillRetain) != 0:
		r.fail(MalformedPacket, "there is no will, but a QoS or a retain flag for it")
	case flags&flagWillQoS == flagWillQoS:
		r.fail(MalformedPacket, "the QoS of the will is 3")
	case p.Version < V5 && flags&flagPassword != 0 && flags&flagUsername == 0:
		r.fail(MalformedPacket, "there is a password without a user name")
	}
}

// properties reads the properties of a CONNECT (section 3.1.2.11).
func (p *Connect) properties(r *reader) {
	ps := r.properties(ofConnect)
	for id := ps.next(r); id != 0; id = ps.next(r) {
		switch id {
		case sessionExpiry:
			p.SessionExpiry = r.uint32()
		case receiveMaximum:
			p.ReceiveMaximum = r.positive16()
		case maximumPacketSize:
			p.MaximumPacketSize = r.positive32()
		case topicAliasMaximum:
			p.TopicAliasMaximum = r.uint16()
		case requestResponse:
			p.RequestResponse = r.boolean()
		case requestProblem:
			p.RequestProblem = r.boolean()
		case authenticationMethod:
			p.HasAuthenticationMethod = true
			p.AuthenticationMethod = r.text()
		case authenticationData:
			p.AuthenticationData = r.binary()
		}
	}
	if ps.has(authenticationData) && !p.HasAuthenticationMethod {
		r.fail(ProtocolError, "there is authentication data without a method")
	}
	p.UserProperties = ps.user
}

// readWill reads the will properties, topic and payload (sections 3.1.3.2 to 3.1.3.4).
func readWill(r *reader, v Version, flags byte) *Will {
	w := &Will{QoS: flags & flagWillQoS >> 3, Retain: flags&flagWillRetain != 0}
	if v == V5 {
		w.properties(r)
	}
	w.Topic = r.topicName()
	w.Payload = r.binary()
	return w
}

func (w *Will) properties(r *reader) {
	ps := r.properties(ofWill)
	for id := ps.next(r); id != 0; id = ps.next(r) {
		switch id {
		case willDelay:
			w.DelayInterval = r.uint32()
		case payloadFormat:
			w.PayloadFormat = r.bit()
		case messageExpiry:
			w.MessageExpiry = r.uint32()
		case contentType:
			w.ContentType = r.text()
		case responseTopic:
			w.ResponseTopic = r.topicName()
		case correlationData:
			w.CorrelationData = r.binary()
		}
	}
	w.UserProperties = ps.user
}
