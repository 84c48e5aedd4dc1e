package transport

import (
	"errors"
	"net"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxyBuffer holds the headers that proxies usually send, in bytes. It is freed after the header.
const proxyBuffer = 256

// A proxyListener gives connections the addresses that the PROXY protocol tells. A connection without a header fails at the
// first Read.
type proxyListener struct{ proxyproto.Listener }

func newProxyListener(l net.Listener, timeout time.Duration) *proxyListener {
	return &proxyListener{proxyproto.Listener{
		Listener:          l,
		ConnPolicy:        func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.REQUIRE, nil },
		ReadHeaderTimeout: timeout,
		ReadBufferSize:    proxyBuffer,
	}}
}

// Accept waits for the next connection, not for its header.
func (l *proxyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if behind, ok := conn.(*proxyproto.Conn); ok {
		return proxiedConn{behind}, nil
	}
	return conn, nil
}

// A proxiedConn is a connection with a PROXY header that can also be closed in one direction.
type proxiedConn struct{ *proxyproto.Conn }

// CloseWrite says that nothing more will be written.
func (c proxiedConn) CloseWrite() error {
	if half, ok := c.Raw().(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
