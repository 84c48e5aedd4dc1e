package bridge

import (
	"iter"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/mqtt/properties"
)

// A delivery is one message on its way from the broker to Kafka.
type delivery struct {
	device  string         // that it is about; "" is the gateway itself
	message ingest.Message // with id and time, so that all attempts make the same event
	receipt *receipt       // nil with QoS 0
	place   chan struct{}  // where it counts as undecided; nil if it does not
}

// newDelivery makes a delivery of what the broker sent. It shares memory with the packet, which nobody else uses.
func newDelivery(p *paho.Publish, r *receipt) *delivery {
	d := &delivery{receipt: r, message: ingest.Message{ID: uuid.NewString(), Time: time.Now(), Body: p.Payload}}
	if p.Properties != nil {
		d.message.ContentType = p.Properties.ContentType
		d.message.Extensions = properties.Extensions(userProperties(p.Properties.User))
	}
	return d
}

func userProperties(list paho.UserProperties) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, p := range list {
			if !yield(p.Key, p.Value) {
				return
			}
		}
	}
}
