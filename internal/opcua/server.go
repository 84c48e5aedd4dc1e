package opcua

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
)

// ErrNotConnected is the error of requests while there is no connection.
var ErrNotConnected = errors.New("the OPC UA server is not connected")

// A Server is one OPC UA server, seen from here.
type Server struct {
	config  EndpointConfig
	items   Items
	handler Handler
	log     *zap.Logger
	metrics *metrics
	files   stateFiles

	wake    chan struct{} // something was settled
	refresh chan struct{} // the items are to be asked for again

	mu      sync.Mutex
	conn    *Connection // whose items are monitored
	settled []settlement
	forget  bool
	ended   bool // Run has ended

	late sync.Mutex // held while what follows is used after Run has ended

	// What follows belongs to the goroutine of Run.
	session    *session
	serverID   serverID // of the server that has the subscriptions
	subs       map[uint32]*subscription
	nextHandle uint32

	unsettled, unsettledBytes int // messages that are handed over, and about what they take
	largest                   int // of all messages, about
}

// A settlement is a message that was settled and not yet noted as such.
type settlement struct {
	of       *subscription
	sequence uint32
	cost     int
}

// A serverID is one life of a server: after a restart its subscriptions are others, even if they have the same numbers.
type serverID struct {
	URI     string
	Started time.Time
}

// NewServer checks the configuration, and makes the client's certificate if there is none. Nothing is connected yet.
func NewServer(c EndpointConfig, items Items, h Handler, log *zap.Logger) (*Server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := ownKeyPair(c.Folder, c.ApplicationURI); err != nil {
		return nil, err
	}
	s := &Server{config: c, items: items, handler: h, log: log.With(zap.String("server", c.Name)), metrics: newMetrics(c.Name),
		files: stateFiles{folder: c.Folder, name: c.Name}, wake: make(chan struct{}, 1), refresh: make(chan struct{}, 1),
		subs: map[uint32]*subscription{}}
	return s, nil
}

// Run connects, monitors the items, hands over what the server tells and connects again after failures, until ctx ends. The session
// and its subscriptions stay at the server, for whoever runs next with the same folder, unless [Server.Forget] was called. It returns
// nil when ctx has ended.
func (s *Server) Run(ctx context.Context) error {
	s.metrics.connected(false)
	if err := s.restore(); err != nil {
		s.log.Warn("The subscriptions of before cannot be read: they are made anew.", zap.Error(err))
	}
	attempts := attempts{pauses: backoff.New(s.config.FirstPause, s.config.LongestPause)}
	for ctx.Err() == nil {
		served, err := s.live(ctx)
		if ctx.Err() != nil {
			break
		}
		s.metrics.failed()
		s.log.Warn("No connection to the OPC UA server.", zap.Error(err))
		backoff.Wait(ctx, attempts.pause(served))
	}
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.settleLate()
	return nil
}

// attempts are those to stay connected.
type attempts struct {
	pauses *backoff.Pauses
	last   time.Duration // the last pause
}

// pause is how long to wait after a connection that has served for some time. Pauses begin anew only after one that lasted longer than
// the last pause: a server that takes every connection and breaks it at once is asked as rarely as one that takes none.
func (a *attempts) pause(served time.Duration) time.Duration {
	if served > a.last {
		a.pauses.Reset()
	}
	a.last = a.pauses.Next()
	return a.last
}

// settleLate notes what was settled as Run ended, or after: whoever runs next need not store it again.
func (s *Server) settleLate() {
	s.late.Lock()
	defer s.late.Unlock()
	s.noteSettled()
	s.savePositions()
}

// Forget makes Run delete its subscriptions at the server when it ends.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget = true
}

// Ready returns nil if the server is connected and its items are monitored.
func (s *Server) Ready(context.Context) error {
	_, err := s.Connection()
	return err
}

// Refresh asks for the items again, and monitors what is new and no longer what is gone, without a new connection.
func (s *Server) Refresh() { signal(s.refresh) }

// Connection is the connection that is there, or ErrNotConnected.
func (s *Server) Connection() (*Connection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, ErrNotConnected
	}
	return s.conn, nil
}

func (s *Server) setConnection(c *Connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = c
	s.metrics.connected(c != nil)
}

// signal wakes whoever receives from a channel of one place.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// settle notes that a message is settled.
func (s *Server) settle(one settlement) {
	s.mu.Lock()
	s.settled = append(s.settled, one)
	ended := s.ended
	s.mu.Unlock()
	if ended {
		s.settleLate()
		return
	}
	signal(s.wake)
}

// live is the life of one connection. served is how long the items were monitored.
func (s *Server) live(ctx context.Context) (served time.Duration, err error) {
	conn, resumed, err := connect(ctx, &s.config, s.session, s.log)
	if err != nil {
		return 0, err
	}
	defer s.leave(ctx, conn)
	s.session = &conn.session
	if err := s.takeOver(ctx, conn, resumed); err != nil {
		return 0, err
	}
	conn.resumed = len(s.subs) > 0
	if err := s.monitor(ctx, conn); err != nil {
		return 0, err
	}
	began := time.Now()
	s.log.Info("Connected to the OPC UA server.", zap.String("uri", conn.session.serverURI), zap.Int64("items", conn.items.Load()),
		zap.Bool("resumed", conn.resumed))
	s.setConnection(conn)
	s.handler.Connected(conn.Info())
	p := newPublisher(s, conn)
	err = p.run(ctx)
	s.setConnection(nil)
	s.handler.Disconnected(err)
	s.leave(ctx, conn)
	p.giveBack()
	return time.Since(began), err
}

// leave ends a connection. The session and its subscriptions stay at the server for the next connection or the next process, unless
// Run ends and they are to be forgotten.
func (s *Server) leave(ctx context.Context, conn *Connection) {
	s.mu.Lock()
	forget := s.forget && ctx.Err() != nil && conn.channel.Err() == nil
	s.mu.Unlock()
	if forget {
		s.subs, s.session = map[uint32]*subscription{}, nil
		s.files.remove()
		if err := conn.Close(); err != nil {
			s.log.Debug("The session was not closed.", zap.Error(err))
		}
	}
	conn.channel.Close()
}
