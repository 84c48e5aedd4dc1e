package tlspsk

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/psk"
)

// A Conn is a connection whose handshake runs when it is first needed: in HandshakeContext, Read or Write.
type Conn struct {
	raw      net.Conn
	listener *Listener
	closed   atomic.Bool

	shaking sync.Mutex
	result  atomic.Pointer[result] // nil until the handshake has ended
}

// A result is what a handshake has come to.
type result struct {
	conn net.Conn // a *tls.Conn or a *keyConn
	err  error
}

var _ net.Conn = (*Conn)(nil)

// HandshakeContext runs the handshake, if it has not been run. When ctx ends before it, the connection is closed. The error
// of a handshake that did not succeed is a *psk.Failure.
func (c *Conn) HandshakeContext(ctx context.Context) error {
	_, err := c.shake(ctx)
	return err
}

// shake is the connection behind the handshake.
func (c *Conn) shake(ctx context.Context) (net.Conn, error) {
	if r := c.result.Load(); r != nil {
		return r.conn, r.err
	}
	c.shaking.Lock()
	defer c.shaking.Unlock()
	if r := c.result.Load(); r != nil {
		return r.conn, r.err
	}
	ctx, cancel := context.WithTimeout(ctx, c.listener.config.HandshakeTimeout)
	defer cancel()
	interrupt := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	r := &result{}
	r.conn, r.err = c.establish(ctx)
	if !interrupt() {
		r.err = errors.Join(context.Cause(ctx), r.err)
	}
	if r.err != nil {
		r.err = c.failure(r.err)
		_ = c.raw.Close()
	}
	c.result.Store(r)
	if c.closed.Load() && r.conn != nil {
		_ = r.conn.Close() // Close may not have seen it
	}
	return r.conn, r.err
}

// establish reads the ClientHello and has the handshake done by who it is for. There is a connection also with some errors.
func (c *Conn) establish(ctx context.Context) (net.Conn, error) {
	early, hello, err := readHello(c.raw)
	if err != nil && !errors.Is(err, errHello) {
		return nil, err
	}
	if c.listener.config.Keys != nil && hello.offers() {
		conn, err := c.listener.accept(ctx, c.raw, early, &hello)
		c.listener.metrics.finished(withKey, err)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
	conn := tls.Server(&replay{c.raw, early}, c.listener.config.TLS) // crypto/tls also says what is wrong with a ClientHello
	err = conn.HandshakeContext(ctx)
	c.listener.metrics.finished(withoutKey, err)
	return conn, err
}

// failure makes an error one that tells who the client is.
func (c *Conn) failure(err error) error {
	f := &psk.Failure{Err: err}
	if known, ok := errors.AsType[*psk.Failure](err); ok {
		f.Identity, f.Missing = known.Identity, known.Missing
	}
	f.Remote, _ = netip.ParseAddrPort(c.raw.RemoteAddr().String())
	return f
}

// Read reads what the client has encrypted.
func (c *Conn) Read(b []byte) (int, error) {
	conn, err := c.shake(context.Background())
	if err != nil {
		return 0, err
	}
	return conn.Read(b)
}

// Write encrypts for the client.
func (c *Conn) Write(b []byte) (int, error) {
	conn, err := c.shake(context.Background())
	if err != nil {
		return 0, err
	}
	return conn.Write(b)
}

// Close ends the connection, with a close_notify if there has been a handshake.
func (c *Conn) Close() error {
	c.closed.Store(true)
	if r := c.result.Load(); r != nil && r.conn != nil {
		return r.conn.Close()
	}
	return c.raw.Close()
}

// CloseWrite sends a close_notify. It is for after the handshake.
func (c *Conn) CloseWrite() error {
	half, ok := c.NetConn().(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// NetConn is the connection behind the handshake: a *tls.Conn, or one of a client with a key. It is nil without a handshake that
// has succeeded.
func (c *Conn) NetConn() net.Conn {
	if r := c.result.Load(); r != nil && r.err == nil {
		return r.conn
	}
	return nil
}

// State is what the handshake has come to. It is not ok before its end, and if it did not succeed.
func (c *Conn) State() (state State, ok bool) {
	if conn := c.NetConn(); conn != nil {
		return StateOf(conn)
	}
	return State{}, false
}

// Failure is why the handshake did not succeed; nil if it has, and before its end.
func (c *Conn) Failure() *psk.Failure {
	if r := c.result.Load(); r != nil {
		if f, ok := errors.AsType[*psk.Failure](r.err); ok {
			return f
		}
	}
	return nil
}

// LocalAddr is that of the connection below, as are RemoteAddr and the deadlines.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr is where the client is.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error { return c.raw.SetDeadline(t) }

// SetReadDeadline sets the deadline of Read. A handshake that it ends is over for good.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.raw.SetReadDeadline(t) }

// SetWriteDeadline sets the deadline of Write. After a Write that it has ended every other one fails.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.raw.SetWriteDeadline(t) }

// A replay is a connection whose first bytes have been read before.
type replay struct {
	net.Conn
	early []byte
}

// Read begins with what has been read.
func (r *replay) Read(b []byte) (int, error) {
	if len(r.early) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.early)
	if r.early = r.early[n:]; len(r.early) == 0 {
		r.early = nil
	}
	return n, nil
}
