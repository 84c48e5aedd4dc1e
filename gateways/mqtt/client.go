package mqtt

import (
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/tlspsk"
)

// A client is what a session needs of its connection.
type client interface {
	Version() packet.Version
	Remote() string
	TLS() tlspsk.State
	Deliver(*packet.Publish) (taken bool)
	Disconnect(packet.Reason, string)
}

var _ client = (*protocol.Conn)(nil)
