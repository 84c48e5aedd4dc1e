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
	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/internal/tlspsk"
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
	if c.CertificateFile == "" {
		return listenTCP(c, log)
	}
	l, config, err := listenTLS(c, log)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, config), nil
}

// ListenTLS is Listen for a configuration with a certificate, and for clients that may have a pre-shared key. Those with other
// keys than keys knows are refused; nil leaves every client to crypto/tls. protocols are what ALPN offers; none is anything.
func ListenTLS(c Config, protocols []string, keys psk.Lookup, log *zap.Logger) (*tlspsk.Listener, error) {
	l, config, err := listenTLS(c, log)
	if err != nil {
		return nil, err
	}
	config.NextProtos = protocols
	secure, err := tlspsk.NewListener(l, tlspsk.Config{TLS: config, Keys: keys})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return secure, nil
}

// listenTLS opens a listener for TCP, and makes the configuration of TLS on it.
func listenTLS(c Config, log *zap.Logger) (net.Listener, *tls.Config, error) {
	certificate, err := LoadCertificate(c.CertificateFile, c.KeyFile, log)
	if err != nil {
		return nil, nil, err
	}
	l, err := listenTCP(c, log)
	if err != nil {
		certificate.Close()
		return nil, nil, err
	}
	return &certifiedListener{newPacedListener(l, c.HandshakeRate), certificate}, tlsConfig(c, certificate.pair), nil
}

func listenTCP(c Config, log *zap.Logger) (net.Listener, error) {
	tcp, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("listening at %s: %w", c.Address, err)
	}
	if log == nil {
		log = zap.NewNop()
	}
	return assemble(c, tcp, log), nil
}

// assemble puts the layers below TLS on a listener.
func assemble(c Config, tcp net.Listener, log *zap.Logger) net.Listener {
	base := &listener{Listener: tcp, log: log, metrics: newMetrics(), closed: make(chan struct{})}
	if c.ProxyProtocol {
		return newProxyListener(base, c.ProxyTimeout)
	}
	return base
}

// A certifiedListener has a certificate that is read from files.
type certifiedListener struct {
	net.Listener
	certificate *Certificate
}

// Close stops accepting, and looking for changes of the files.
func (l *certifiedListener) Close() error {
	l.certificate.Close()
	return l.Listener.Close()
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
