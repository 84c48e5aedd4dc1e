package mqtt

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A gateway is a handler for tests. It admits everybody and accepts everything, unless it is told otherwise.
type gateway struct {
	connect   func(context.Context, *Conn, *packet.Connect) error
	publish   func(s *visit, p *packet.Publish, done func(Answer))
	subscribe func(packet.Subscription, uint32) packet.Reason

	mu     sync.Mutex
	visits []*visit
}

// A visit is a session at a gateway.
type visit struct {
	gateway *gateway
	conn    *Conn
	connect packet.Connect // valid until Connect returned; only numbers are looked at later
	id      string

	mu        sync.Mutex
	published []string // topic, payload
	waiting   []func(Answer)
	filters   []string
	ended     []End
}

func (g *gateway) Connect(ctx context.Context, c *Conn, p *packet.Connect) (Session, error) {
	if g.connect != nil {
		if err := g.connect(ctx, c, p); err != nil {
			return nil, err
		}
	}
	v := &visit{gateway: g, conn: c, connect: *p, id: string([]byte(p.ClientID))}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.visits = append(g.visits, v)
	return v, nil
}

func (g *gateway) all() []*visit {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*visit(nil), g.visits...)
}

func (v *visit) Publish(p *packet.Publish, done func(Answer)) {
	v.mu.Lock()
	v.published = append(v.published, string([]byte(p.Topic))+" "+string(p.Payload))
	v.mu.Unlock()
	if v.gateway.publish != nil {
		v.gateway.publish(v, p, done)
		return
	}
	done(Answer{})
}

func (v *visit) Subscribe(s packet.Subscription, id uint32, _ packet.UserProperties) packet.Reason {
	v.mu.Lock()
	v.filters = append(v.filters, string([]byte(s.Filter)))
	v.mu.Unlock()
	if v.gateway.subscribe != nil {
		return v.gateway.subscribe(s, id)
	}
	return packet.Success
}

func (v *visit) Unsubscribe(filter string) packet.Reason {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.filters = append(v.filters, "-"+string([]byte(filter)))
	return packet.Success
}

func (v *visit) Closed(e End) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = append(v.ended, e)
}

// hold keeps the answer to a message for later.
func hold(v *visit, _ *packet.Publish, done func(Answer)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting = append(v.waiting, done)
}

// held takes the answers that are kept.
func (v *visit) held() []func(Answer) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.waiting
	v.waiting = nil
	return w
}

func (v *visit) messages() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.published...)
}

func (v *visit) ends() []End {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]End(nil), v.ended...)
}

var errRefused = errors.New("refused")

// listenTCP starts a server on a free port.
func listenTCP(tb testing.TB, s *Server) net.Addr {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	serve(tb, s, l)
	return l.Addr()
}

// serve serves a listener until the test ends, and shuts the server down then.
func serve(tb testing.TB, s *Server, l net.Listener) {
	tb.Helper()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			tb.Error(err)
		}
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			tb.Errorf("Serve returned %v, not net.ErrClosed", err)
		}
	})
}
