package mqtt

import (
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// maxExtensions bounds the user properties of one message that become extensions. Kafka records and HTTP deliveries carry
// each of them as a header.
const maxExtensions = 20

// extensions are the user properties that can be extension attributes of an event: names of lower-case letters and
// digits, text as values. The names of attributes that the data plane sets itself, and everything else, are ignored, since
// user properties may be meant for others. Of a name that is there twice the first counts. The result shares memory with
// the packet.
func extensions(properties packet.UserProperties) map[string]string {
	if len(properties) == 0 {
		return nil
	}
	var legal map[string]string
	for name, value := range properties.All() {
		if _, twice := legal[name]; twice || event.ValidateExtension(name, value) != nil {
			continue
		}
		if len(legal) == maxExtensions {
			break
		}
		if legal == nil {
			legal = map[string]string{}
		}
		legal[name] = value
	}
	return legal
}
