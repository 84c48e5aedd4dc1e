package mqtt

import (
	"crypto/x509"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A client is what a session needs of its connection.
type client interface {
	Version() packet.Version
	Remote() string
	PeerCertificates() []*x509.Certificate
	Deliver(*packet.Publish) (taken bool)
	Disconnect(packet.Reason, string)
}

var _ client = (*protocol.Conn)(nil)

// chainOf is the chain of a client's certificate in DER, leaf first.
func chainOf(c client) [][]byte {
	certificates := c.PeerCertificates()
	if len(certificates) == 0 {
		return nil
	}
	chain := make([][]byte, len(certificates))
	for i, certificate := range certificates {
		chain[i] = certificate.Raw
	}
	return chain
}
