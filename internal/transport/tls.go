package transport

import (
	"crypto/tls"
	"time"

	"github.com/fairlead/fairlead/internal/pace"
)

// tlsConfig asks clients for a certificate if it is told to, and verifies nothing but that they have its key: which
// authority may vouch for a device is the business of the authenticator. A client that resumes a session has shown its
// certificate before, and whoever admits it judges that certificate again.
func tlsConfig(c Config, pair *keyPair, turns *pace.Pace) *tls.Config {
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: pair.get,
		// It is called when a ClientHello has been read; no config means this one.
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return nil, turns.Wait(hello.Context()) },
	}
	if c.ClientCertificates {
		config.ClientAuth = tls.RequestClientCert
	}
	return config
}

// paceBurst is for how much time without handshakes can be made up.
const paceBurst = 50 * time.Millisecond

// newPace is a pace of so many handshakes a second: one costs as much as hundreds of messages. Whoever waits has sent a ClientHello and
// got nothing yet.
func newPace(handshakes int) *pace.Pace {
	return pace.New(handshakes, 1+int(time.Duration(handshakes)*paceBurst/time.Second))
}
