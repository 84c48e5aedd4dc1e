package bridge

import (
	"iter"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/forward"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/mqtt/properties"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A delivery is one message on its way from the broker to Kafka.
type delivery struct {
	message forward.Message
	receipt *receipt      // nil with QoS 0
	place   chan struct{} // where it counts as undecided; nil if it does not
}

// newDelivery makes a delivery of what the broker sent. It shares memory with the packet, which nobody else uses.
func newDelivery(b *Bridge, p *paho.Publish, r *receipt) *delivery {
	d := &delivery{receipt: r}
	d.message.Message = ingest.Message{ID: uuid.NewString(), Time: time.Now(), Body: p.Payload, Protocol: refusal.Bridge}
	d.message.Settled = func(r outcome.Result) { b.settled(d, r) }
	d.message.Left = func() { b.leave(d) }
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
