package integration

import (
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// Publish takes nothing: consumers of events publish none.
func (s *client) Publish(p *packet.Publish, done func(protocol.Answer)) {
	done(protocol.Answer{Reason: packet.TopicNameInvalid, Text: "nothing is published here", Final: true})
}
