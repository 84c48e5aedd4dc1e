package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/fairlead/fairlead/internal/backoff"
)

// tlsConfig asks clients for a certificate if it is told to, and verifies nothing but that they have its key: which
// authority may vouch for a device is the business of the authenticator. A client that resumes a session has shown its
// certificate before, and whoever admits it judges that certificate again.
func tlsConfig(c Config, pair *keyPair, turns pace) *tls.Config {
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: pair.get,
		// It is called when a ClientHello has been read; no config means this one.
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return nil, turns.wait(hello.Context()) },
	}
	if c.ClientCertificates {
		config.ClientAuth = tls.RequestClientCert
	}
	return config
}

// Limits of a pace.
const (
	paceBurst = 50 * time.Millisecond // of turns that nobody took can be made up for
	maxTurn   = 30 * time.Second      // is the longest wait for a turn
)

// A pace spreads handshakes over time, since one costs as much as hundreds of messages. Whoever waits has sent a
// ClientHello and got nothing yet.
type pace struct{ limiter *rate.Limiter }

// newPace is a pace of so many handshakes a second.
func newPace(handshakes int) pace {
	burst := int(time.Duration(handshakes) * paceBurst / time.Second)
	return pace{rate.NewLimiter(rate.Limit(handshakes), 1+burst)}
}

var errPace = errors.New("too many clients connect at once")

// wait returns when it is the caller's turn.
func (p pace) wait(ctx context.Context) error {
	turn := p.limiter.Reserve()
	delay := turn.Delay()
	if delay > maxTurn {
		turn.Cancel()
		return errPace
	}
	if !backoff.Wait(ctx, delay) {
		return ctx.Err()
	}
	return nil
}
