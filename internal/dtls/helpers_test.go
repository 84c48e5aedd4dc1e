package dtls

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/fairlead/fairlead/internal/psk"
)

const waitLimit = time.Minute

var errAway = errors.New("the registry is away")

// keys knows the key of one identity.
func keys(_ context.Context, identity []byte) (psk.Key, error) {
	switch string(identity) {
	case "device@app":
		return psk.Key{Secret: []byte("secret")}, nil
	case "away@app":
		return psk.Key{}, errAway
	default:
		return psk.Key{}, nil
	}
}

// An echo is a listener whose sessions give back every message.
type echo struct {
	*Listener
	mu    sync.Mutex
	conns []*Conn
}

// serve starts an echo. keep marks sessions as those of admitted clients.
func serve(t testing.TB, c Config, secrets Secrets, keep bool) *echo {
	t.Helper()
	if secrets.Key == nil {
		secrets.Key = keys
	}
	l, err := Listen("127.0.0.1:0", c, secrets)
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l}
	served := make(chan error, 1)
	go func() { served <- l.Serve(func(c *Conn) { e.run(c, keep) }) }()
	t.Cleanup(func() {
		_ = l.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return e
}

func (e *echo) run(c *Conn, keep bool) {
	if keep {
		c.Keep()
	}
	e.mu.Lock()
	e.conns = append(e.conns, c)
	e.mu.Unlock()
	b := make([]byte, 2048)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		_ = c.Write(b[:n])
	}
}

// accepted is the session that was accepted as the nth, counted from 0.
func (e *echo) accepted(t testing.TB, n int) *Conn {
	t.Helper()
	var c *Conn
	eventually(t, "a session to be accepted", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		if len(e.conns) > n {
			c = e.conns[n]
		}
		return c != nil
	})
	return c
}

// of is the session of a client; if its port has been another client's, the newest one.
func (e *echo) of(t testing.TB, client net.Conn) (c *Conn) {
	t.Helper()
	eventually(t, "the client's session to be accepted", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, accepted := range slices.Backward(e.conns) {
			if accepted.Remote().String() == client.LocalAddr().String() {
				c = accepted
				break
			}
		}
		return c != nil
	})
	return c
}

func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(waitLimit)
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("gave up waiting for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// socket is a client's socket.
func socket(t testing.TB) net.PacketConn {
	t.Helper()
	s, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// preShared are a client's options for a pre-shared key.
func preShared(identity, key string) []dtls.ClientOption {
	return []dtls.ClientOption{
		dtls.WithPSK(func([]byte) ([]byte, error) { return []byte(key), nil }),
		dtls.WithPSKIdentityHint([]byte(identity)),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8),
	}
}

// connect does a handshake from a socket.
func (e *echo) connect(t testing.TB, from net.PacketConn, options ...dtls.ClientOption) (*dtls.Conn, error) {
	t.Helper()
	conn, err := dtls.ClientWithOptions(from, net.UDPAddrFromAddrPort(e.Address()), options...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// open connects a client that must get in.
func (e *echo) open(t testing.TB, options ...dtls.ClientOption) *dtls.Conn {
	t.Helper()
	conn, err := e.connect(t, socket(t), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// talk sends a message and wants it back.
func talk(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if err := say(conn, text); err != nil {
		t.Fatal(err)
	}
}

func say(conn net.Conn, text string) error {
	if _, err := conn.Write([]byte(text)); err != nil {
		return err
	}
	_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
	b := make([]byte, 2048)
	n, err := conn.Read(b)
	if err == nil && string(b[:n]) != text {
		err = errors.New("another message came back: " + string(b[:n]))
	}
	return err
}
