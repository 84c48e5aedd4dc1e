package event

import "strings"

// A setter is who may give an extension attribute its value.
type setter uint8

const (
	anyone   setter = iota // devices too
	adapters               // what Fairlead knows of a message from its network
	nobody                 // whoever writes or delivers the event
)

// own are the names whose attribute Fairlead or CloudEvents themselves give a meaning. Devices that could set them could say
// that a message is of somebody else.
var own = map[string]bool{
	// CloudEvents 1.0 section 3.1, and its members in JSON; versions before 1.0.
	"specversion": true, "id": true, "type": true, "source": true, "subject": true, "time": true,
	"datacontenttype": true, "dataschema": true, "data": true, "database64": true,
	"datacontentencoding": true, "contenttype": true, "schemaurl": true,
	// Where an event comes from; see Origin.
	"instance": true, "application": true, "applicationuid": true, "device": true, "deviceuid": true,
	"sender": true, "senderuid": true,
	// Extensions of CloudEvents that say who did something and how it went on.
	"partitionkey": true, "traceparent": true, "tracestate": true, "authtype": true, "authid": true, "authclaims": true,
}

// families are the beginnings of names that belong to one writer, so that an attribute that it will set one day cannot be
// set by devices today.
var families = []struct {
	prefix string
	setter setter
}{
	{"fairlead", nobody}, // the delivery to Triggers and whatever else is Fairlead's
	{"knative", nobody},  // Knative's dispatcher: knativeerrordest, knativebrokerttl …
	{"kafka", nobody},    // Knative's source: kafkaheader…
	{"drogue", nobody},
	{"lorawan", adapters},
	{"hwaddr", adapters},
	{"opcua", adapters},
}

// setterOf tells who may set an extension attribute.
func setterOf(name string) setter {
	if own[name] {
		return nobody
	}
	for _, family := range families {
		if strings.HasPrefix(name, family.prefix) {
			return family.setter
		}
	}
	return anyone
}

// SetByDevices tells whether a device may set the extension attribute of a name, which has to be valid besides; see
// ValidateExtension.
func SetByDevices(name string) bool { return setterOf(name) == anyone }
