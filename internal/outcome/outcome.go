package outcome

// An Outcome is what became of a message or of a log-in. The zero value is Internal, so that a forgotten assignment
// never looks like success.
type Outcome uint8

// The outcomes. Accepted is only ever reported after Kafka acknowledged the record.
const (
	// Internal is a fault of ours.
	Internal Outcome = iota
	// Accepted means stored: Kafka has acknowledged the record.
	Accepted
	// Dropped means that a rule of the application swallowed the message; to the device it looks like Accepted.
	Dropped
	// Invalid is a request that cannot be read: path, topic, query or a malformed attribute.
	Invalid
	// Rejected is a message that was read and refused: broken JSON under a JSON type, or a rule.
	Rejected
	// Unauthenticated covers every reason not to admit a device. The reasons look the same from outside.
	Unauthenticated
	// Forbidden is a device that may not act for the device it named.
	Forbidden
	// TooLarge is a body beyond the limit.
	TooLarge
	// Unsupported is a body with a content coding that is not undone.
	Unsupported
	// Overloaded means that a bound of ours was hit; the sender may try again soon.
	Overloaded
	// Unavailable means that Kafka or the registry cannot be reached.
	Unavailable

	count
)

// A row is one outcome in the words of every protocol.
type row struct {
	label    string
	http     int
	mqtt5    byte
	connack5 byte
	connack3 byte
	coap     byte
}

// table follows RFC 9110 section 15 (HTTP), MQTT 5.0 section 2.4 and MQTT 3.1.1 section 3.2.2.3 (reason and return
// codes), and RFC 7252 section 12.1.2 (CoAP: class in the upper three bits, detail in the lower five).
var table = [count]row{
	Internal:        {"internal", 500, 0x80, 0x80, 3, coap(5, 0)},
	Accepted:        {"accepted", 202, 0x00, 0x00, 0, coap(2, 4)},
	Dropped:         {"dropped", 202, 0x00, 0x00, 0, coap(2, 4)},
	Invalid:         {"invalid", 400, 0x90, 0x80, 2, coap(4, 0)},
	Rejected:        {"rejected", 406, 0x99, 0x80, 5, coap(4, 6)},
	Unauthenticated: {"unauthenticated", 403, 0x87, 0x86, 4, coap(4, 3)},
	Forbidden:       {"forbidden", 403, 0x87, 0x87, 5, coap(4, 3)},
	TooLarge:        {"too_large", 413, 0x80, 0x95, 5, coap(4, 13)},
	Unsupported:     {"unsupported", 415, 0x99, 0x80, 5, coap(4, 15)},
	Overloaded:      {"overloaded", 503, 0x97, 0x89, 3, coap(5, 3)},
	Unavailable:     {"unavailable", 503, 0x83, 0x88, 3, coap(5, 3)},
}

func coap(class, detail byte) byte { return class<<5 | detail }

func (o Outcome) row() row {
	if o >= count {
		o = Internal
	}
	return table[o]
}

// String is the metric label and log value of the outcome, in snake case.
func (o Outcome) String() string { return o.row().label }

// Good tells whether the message counts as delivered for its sender.
func (o Outcome) Good() bool { return o == Accepted || o == Dropped }

// Final tells whether a message with this outcome is refused for what it is, so that sending it again would end alike.
func (o Outcome) Final() bool {
	switch o {
	case Invalid, Rejected, Unsupported, Forbidden, TooLarge:
		return true
	default:
		return false
	}
}

// HTTP is the status code of an HTTP answer.
func (o Outcome) HTTP() int { return o.row().http }

// MQTT5 is the reason code of an MQTT 5 PUBACK. That has no code for TooLarge, which would be one of DISCONNECT: then clients that store
// their messages, as MQTT.js does, would connect again and send the same one again for ever.
func (o Outcome) MQTT5() byte { return o.row().mqtt5 }

// Connack5 is the reason code of an MQTT 5 CONNACK.
func (o Outcome) Connack5() byte { return o.row().connack5 }

// Connack3 is the return code of an MQTT 3.1.1 CONNACK.
func (o Outcome) Connack3() byte { return o.row().connack3 }

// CoAP is the code of a CoAP response.
func (o Outcome) CoAP() byte { return o.row().coap }

// All lists every outcome in the order of the table, for metrics that start at zero and for tests.
func All() []Outcome {
	all := make([]Outcome, count)
	for i := range all {
		all[i] = Outcome(i)
	}
	return all
}
