package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/outcome"
)

// A Server serves the connections of one gateway, whatever they come over.
type Server struct {
	config   Config
	handler  Handler
	log      *zap.Logger
	onBroken func(Broken) // may be nil
	shared   bool
	metrics  *metrics
	limits   *admissionLimits
	life     context.Context // ends when the server shuts down
	end      context.CancelFunc

	buffers   *buffers
	flights   sync.Pool // of *flight
	scratches sync.Pool // of *scratch

	mu        sync.Mutex
	conns     map[*Conn]struct{}
	listeners map[net.Listener]struct{}
	closing   bool
	empty     chan struct{} // closed when the server is closing and the last connection has gone
}

// NewServer makes a server of a configuration that is valid. Its log may be nil.
func NewServer(c Config, h Handler, log *zap.Logger) *Server {
	if log == nil {
		log = zap.NewNop()
	}
	s := &Server{
		config:    c,
		handler:   h,
		log:       log,
		buffers:   newBuffers(),
		conns:     map[*Conn]struct{}{},
		listeners: map[net.Listener]struct{}{},
		empty:     make(chan struct{}),
	}
	s.limits = newAdmissionLimits(&s.config)
	s.metrics = newMetrics(s.limits)
	s.life, s.end = context.WithCancel(context.Background())
	s.flights.New = func() any {
		f := new(flight)
		f.done = f.land
		return f
	}
	s.scratches.New = func() any { return new(scratch) }
	return s
}

// OfferShared has clients of version 5 told that there are shared subscriptions. It is for before the first connection.
func (s *Server) OfferShared() { s.shared = true }

// Serve serves the connections of a listener, TCP or TLS, until that fails, and closes it. It returns net.ErrClosed after
// Shutdown.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return net.ErrClosed
	}
	defer s.unlisten(l)
	for {
		_ = s.limits.arrivals.Wait(s.life) // it ends with the server, as Accept does
		link, err := l.Accept()
		if s.life.Err() != nil {
			if err == nil {
				_ = link.Close() // it came too late
			}
			return net.ErrClosed
		}
		if err != nil {
			return fmt.Errorf("accepting a connection: %w", err)
		}
		if !s.limits.acceptConnection() {
			s.metrics.connected(unheard)
			_ = link.Close() // there is no room to hear what it wants
			continue
		}
		s.begin(link)
	}
}

// begin takes in a new connection, which the limits have let in.
func (s *Server) begin(link net.Conn) {
	c := newConn(s, link)
	if !s.remember(c) {
		s.limits.connectReceived()
		_ = link.Close() // the server is shutting down
		return
	}
	go s.greet(c)
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) unlisten(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) remember(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.closing && len(s.conns) == 0 {
		close(s.empty)
	}
}

// Shutdown accepts nothing more, reads nothing more, waits until what clients have published is answered, tells clients of
// version 5 that the server shuts down, and closes their connections. When ctx ends it closes those that are left at once.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stop() {
		c.drain()
	}
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
	}
	left := s.list()
	for _, c := range left {
		c.abort()
	}
	return fmt.Errorf("closing %d connections before their messages were answered: %w", len(left), context.Cause(ctx))
}

// stop closes the listeners, and lists the connections.
func (s *Server) stop() []*Conn {
	s.mu.Lock()
	if !s.closing && len(s.conns) == 0 {
		close(s.empty)
	}
	s.closing = true
	s.end()
	for l := range s.listeners {
		_ = l.Close() // Serve has the error
	}
	s.mu.Unlock()
	return s.list()
}

func (s *Server) list() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// flight takes a flight from the pool.
func (s *Server) flight() *flight {
	s.metrics.inFlight.Add(1)
	return s.flights.Get().(*flight)
}

// arrived puts a flight back.
func (s *Server) arrived(f *flight) {
	s.metrics.inFlight.Add(-1)
	*f = flight{done: f.done}
	s.flights.Put(f)
}

func (s *Server) getScratch() *scratch { return s.scratches.Get().(*scratch) }

// putScratch takes a scratch back, which may be nil. What it held lies in a buffer that others will use.
func (s *Server) putScratch(p *scratch) {
	if p != nil {
		p.forget()
		s.scratches.Put(p)
	}
}

// recoverPanics runs f. A panic ends what f does, and nothing else: that is the last line of defence of all other connections.
func (s *Server) recoverPanics(f func()) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(p)
		}
	}()
	f()
}

// panicked counts and logs a panic.
func (s *Server) panicked(p any) {
	s.metrics.panics.Add(1)
	s.log.Error("a connection panicked", zap.Any("panic", p), zap.Stack("stack"))
}

// logFault logs an error of the handler that is a fault of ours.
func (s *Server) logFault(err error) {
	var r *Refusal
	if !errors.As(err, &r) && outcome.Of(err) == outcome.Internal {
		s.log.Error("could not judge a client", zap.Error(err))
	}
}
