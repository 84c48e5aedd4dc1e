package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"
)

// tlsConfig asks clients for a certificate if it is told to, and verifies nothing but that they have its key: which
// authority may vouch for a device is the business of the authenticator. A client that resumes a session has shown its
// certificate before, and whoever admits it judges that certificate again.
func tlsConfig(c Config, pair *keyPair) *tls.Config {
	pace := &pace{interval: time.Second / time.Duration(c.HandshakeRate)}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: pair.get,
		// It is called when a ClientHello has been read; no config means this one.
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) { return nil, pace.wait(hello.Context()) },
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
type pace struct {
	interval time.Duration

	mu   sync.Mutex
	next time.Time // turn that nobody has
}

var errPace = errors.New("too many clients connect at once")

// wait returns when it is the caller's turn.
func (p *pace) wait(ctx context.Context) error {
	delay, ok := p.turn()
	if !ok {
		return errPace
	}
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turn takes the next turn, and tells how long it is until then.
func (p *pace) turn() (delay time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if earliest := now.Add(-paceBurst); p.next.Before(earliest) {
		p.next = earliest
	}
	delay = p.next.Sub(now)
	if delay > maxTurn {
		return 0, false
	}
	p.next = p.next.Add(p.interval)
	return delay, true
}
