package mqtt

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A world has a server, its gateway, and pipes to it. It lives in a bubble, where time passes by itself.
type world struct {
	*testing.T
	config  Config
	gateway *gateway
	server  *Server
	pipes   *pipes
}

// inWorld runs a test in a world of its own.
func inWorld(t *testing.T, change func(*Config), test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, config: DefaultConfig(), gateway: &gateway{}, pipes: newPipes()}
		if change != nil {
			change(&w.config)
		}
		if err := w.config.Validate(); err != nil {
			t.Fatal(err)
		}
		w.server = NewServer(w.config, w.gateway, nil)
		serve(t, w.server, w.pipes)
		test(w)
	})
}

// call opens a pipe and sends nothing.
func (w *world) call(v packet.Version) *client {
	w.Helper()
	mine, theirs := net.Pipe()
	w.Cleanup(func() { _ = mine.Close() })
	w.pipes.conns <- &tap{Conn: theirs}
	return newClient(w, v, mine)
}

// admitted opens a pipe and connects.
func (w *world) admitted(v packet.Version) (*client, *visit) {
	w.Helper()
	c := w.call(v)
	c.login()
	all := w.gateway.all()
	return c, all[len(all)-1]
}

// versions runs a test in both versions of the protocol.
func versions(t *testing.T, test func(t *testing.T, v packet.Version)) {
	t.Helper()
	t.Run("3.1.1", func(t *testing.T) { test(t, packet.V311) })
	t.Run("5", func(t *testing.T) { test(t, packet.V5) })
}

// pipes are a listener without a network.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

// A tap counts how often something is written and read deadlines are set.
type tap struct {
	net.Conn
	writes atomic.Int32
}

func (t *tap) Write(b []byte) (int, error) {
	t.writes.Add(1)
	return t.Conn.Write(b)
}
