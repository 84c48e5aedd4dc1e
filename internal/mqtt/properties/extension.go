package properties

import (
	"iter"
	"strings"

	"github.com/fairlead/fairlead/internal/event"
)

// maxExtensions bounds the user properties of one message that become extensions. Kafka records and HTTP deliveries carry
// each of them as a header.
const maxExtensions = 20

// Extensions are the user properties (MQTT 5.0 section 3.3.2.3.7) that can be extension attributes of an event: names of
// lower-case letters and digits, text as values. The names of attributes that Fairlead or Knative set themselves, and everything
// else, are ignored, since user properties may be meant for others. Of a name that is there twice the first counts. Of more
// than 20 the first 20 count. The result shares no memory with the properties, and is nil if it is empty.
func Extensions(properties iter.Seq2[string, string]) map[string]string {
	var legal map[string]string
	for name, value := range properties {
		if _, twice := legal[name]; twice || !event.SetByDevices(name) || event.ValidateExtension(name, value) != nil {
			continue
		}
		if len(legal) == maxExtensions {
			break
		}
		if legal == nil {
			legal = map[string]string{}
		}
		legal[strings.Clone(name)] = strings.Clone(value)
	}
	return legal
}
