package tlspsk

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"time"

	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/tlspsk/openssl"
)

// Available tells whether clients with a pre-shared key can be served: the program was built with the tag psk.
const Available = openssl.Available

// Defaults of a Config.
const (
	defaultHandshakeTimeout = 15 * time.Second
	defaultMaxLookups       = 256
)

// A Config says how clients are served.
type Config struct {
	TLS  *tls.Config // of clients without a pre-shared key; its NextProtos but "h2" are offered to the others, too
	Keys psk.Lookup  // nil: every client is one without a pre-shared key

	HandshakeTimeout time.Duration // for a handshake, with the look-up of the key; 0 is 15 s
	MaxLookups       int           // look-ups at once, beyond which handshakes wait; 0 is 256
}

// A Listener accepts TLS connections.
type Listener struct {
	net.Listener
	config    Config
	context   *openssl.Context // nil if clients with a pre-shared key cannot be served
	lookups   chan struct{}    // a place for each
	computing chan struct{}    // a place for each handshake that is inside OpenSSL
	metrics   *metrics
}

// NewListener makes a listener of one for TCP. It closes that one when it is closed.
func NewListener(inner net.Listener, c Config) (*Listener, error) {
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, defaultHandshakeTimeout)
	l := &Listener{
		Listener:  inner,
		config:    c,
		lookups:   make(chan struct{}, cmp.Or(c.MaxLookups, defaultMaxLookups)),
		computing: make(chan struct{}, runtime.GOMAXPROCS(0)),
		metrics:   newMetrics(),
	}
	if c.Keys == nil {
		return l, nil
	}
	offered := slices.DeleteFunc(slices.Clone(c.TLS.NextProtos), func(p string) bool { return p == "h2" })
	made, err := openssl.NewContext(offered)
	if err != nil && !errors.Is(err, openssl.ErrNotBuilt) {
		return nil, fmt.Errorf("preparing OpenSSL: %w", err)
	}
	l.context = made
	return l, nil
}

// Accept waits for the next connection, a *Conn, and not for its client.
func (l *Listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &Conn{raw: raw, listener: l}, nil
}

// Close stops accepting. Connections go on.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	if l.context != nil {
		l.context.Close()
	}
	return err
}

// enter takes a place, or returns when ctx ends.
func enter(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lookup finds the key of an identity.
func (l *Listener) lookup(ctx context.Context, identity []byte) (psk.Key, error) {
	if slices.Contains(identity, 0) { // OpenSSL would see an end there
		return psk.Key{Missing: "the identity holds a NUL"}, nil
	}
	if err := enter(ctx, l.lookups); err != nil {
		return psk.Key{}, psk.Undecided(err)
	}
	defer func() { <-l.lookups }()
	key, err := l.config.Keys(ctx, identity)
	if err != nil {
		return psk.Key{}, psk.Undecided(err)
	}
	return key, nil
}
