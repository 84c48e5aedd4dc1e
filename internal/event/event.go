package event

import (
	"time"
)

// Types of the events that the data plane makes.
const (
	TypeMessage    = "io.drogue.event.v1"      // what a device said
	TypeConnection = "io.drogue.connection.v1" // a device connected or disconnected
	TypeLoRaWAN    = "io.drogue.lorawan.v1"    // what a LoRaWAN network says about a device
	TypeCommand    = "io.drogue.command.v1"    // a command to a device
)

// An Event is a CloudEvent (version 1.0) with the attributes that the data plane sets.
type Event struct {
	ID              string
	Type            string
	Source          string
	Subject         string
	Time            time.Time
	DataContentType string
	DataSchema      string // "" for none
	Origin          Origin
	TraceParent     string // W3C trace context, as the distributed tracing extension; "" for none
	TraceState      string
	Extensions      []Extension // further extensions; none of them is an attribute of Origin
	Data            []byte
}

// An Extension is a CloudEvents extension attribute with a string value.
type Extension struct{ Name, Value string }

// An Origin says where an event comes from. Each field is an extension attribute of the event.
type Origin struct {
	Instance       string
	Application    string
	ApplicationUID string
	Device         string // on whose behalf
	DeviceUID      string
	Sender         string // who sent it: the device itself or a gateway
	SenderUID      string
}

// Source is the source attribute of events of that origin: drogue://application/device, the device percent-encoded.
func (o *Origin) Source() string {
	return string(o.appendSource(make([]byte, 0, o.sourceBound())))
}

func (o *Origin) appendSource(b []byte) []byte {
	b = append(b, "drogue://"...)
	b = append(b, o.Application...)
	b = append(b, '/')
	return appendEncoded(b, o.Device)
}

// sourceBound is an upper bound for the bytes of the source.
func (o *Origin) sourceBound() int {
	return len("drogue://") + len(o.Application) + 1 + 3*len(o.Device)
}

// PartitionKey orders the events of one sender: application/sender, both percent-encoded. It is the key of the Kafka
// record and the extension "partitionkey".
func (o *Origin) PartitionKey() string {
	return string(o.appendPartitionKey(make([]byte, 0, o.partitionKeyBound())))
}

func (o *Origin) appendPartitionKey(b []byte) []byte {
	b = appendEncoded(b, o.Application)
	b = append(b, '/')
	return appendEncoded(b, o.Sender)
}

// partitionKeyBound is an upper bound for the bytes of the partition key.
func (o *Origin) partitionKeyBound() int { return 3*len(o.Application) + 1 + 3*len(o.Sender) }

// appendEncoded percent-encodes every byte that is not an ASCII letter or digit (RFC 3986 section 2.1).
func appendEncoded(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}
