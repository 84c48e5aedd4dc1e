package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
)

// Pauses after Accept has failed for lack of something.
const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
)

// Listen opens the listener of a configuration that is valid and has an address. Its Accept never waits for a client, so
// the PROXY header and the TLS handshake are read by whoever first reads from a connection. Closing the listener releases
// all that it uses. The log may be nil.
func Listen(c Config, log *zap.Logger) (net.Listener, error) {
	if log == nil {
		log = zap.NewNop()
	}
	var pair *keyPair
	if c.CertificateFile != "" {
		var err error
		if pair, err = loadKeyPair(c.CertificateFile, c.KeyFile, log); err != nil {
			return nil, err
		}
	}
	tcp, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", c.Address, err)
	}
	return assemble(c, tcp, pair, log), nil
}

// assemble puts the layers on a listener. pair is nil without TLS.
func assemble(c Config, tcp net.Listener, pair *keyPair, log *zap.Logger) net.Listener {
	base := &listener{Listener: tcp, log: log, metrics: newMetrics(), closed: make(chan struct{})}
	var l net.Listener = base
	if c.ProxyProtocol {
		l = newProxyListener(l, c.ProxyTimeout)
	}
	if pair != nil {
		go pair.watch(base.closed)
		l = tls.NewListener(l, tlsConfig(c, pair))
	}
	return l
}

// A listener survives that there are no file descriptors or no memory for a while.
type listener struct {
	net.Listener
	log     *zap.Logger
	metrics *metrics
	once    sync.Once
	closed  chan struct{}
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	for pauses := backoff.New(minPause, maxPause); ; {
		conn, err := l.Listener.Accept()
		if err == nil || !passes(err) {
			return conn, err
		}
		l.metrics.failed()
		pause := pauses.Next()
		l.log.Warn("could not accept a connection and will try again", zap.Error(err), zap.Duration("pause", pause))
		select {
		case <-time.After(pause):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// Close stops accepting, also while Accept pauses.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// passes tells whether an error of Accept says nothing about the listener: something is used up, or the client has gone.
func passes(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET:
		return true
	default:
		return false
	}
}
