package integration

import (
	"context"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/feed"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/user"
)

// Connect admits a user: with an access token as password, with a token alone as user name or as password, or as nobody, who may
// read what is public. A will is ignored: nobody could get it.
func (g *Gateway) Connect(ctx context.Context, c *protocol.Conn, p *packet.Connect) (protocol.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.AuthTimeout)
	defer cancel()
	admitted, err := g.admit(ctx, p)
	if err != nil {
		g.reportConnect(c, err)
		return nil, err
	}
	s := &client{gateway: g, conn: c, user: admitted, subscriptions: map[string]*subscription{}}
	s.life, s.end = context.WithCancel(context.Background())
	if !c.Unnamed() {
		s.id = strings.Clone(p.ClientID)
		s.holder = holder{admitted.Identity().ID, s.id}
		g.holders.take(s.holder, c)
	}
	s.recheck = g.rechecker.Add(s)
	s.recheck.Admit(admitted)
	return s, nil
}

func (g *Gateway) admit(ctx context.Context, p *packet.Connect) (*feed.Session, error) {
	credential, err := user.FromLogin(p.Username, string(p.Password))
	if err != nil {
		return nil, err
	}
	switch c := credential.(type) { // the packet is only valid until Connect returns
	case user.Bearer:
		credential = user.Bearer(strings.Clone(string(c)))
	case user.AccessToken:
		credential = user.AccessToken{User: strings.Clone(c.User), Secret: c.Secret}
	}
	return g.Guard.Open(ctx, credential)
}

// A client is a session of a user over MQTT.
type client struct {
	gateway *Gateway
	conn    *protocol.Conn
	user    *feed.Session
	id      string // client identifier; "" if the client sent none
	holder  holder
	recheck *protocol.Recheck
	life    context.Context // ends with the connection
	end     context.CancelFunc

	responses responses

	subscriptions map[string]*subscription // by filter; only for the connection's own goroutine
	closing       sync.WaitGroup           // subscriptions that end
}

var (
	_ protocol.Session = (*client)(nil)
	_ protocol.Login   = (*client)(nil)
)

// Renew has the log-in judged again, and what it may read.
func (s *client) Renew(ctx context.Context) (protocol.Admission, error) {
	if err := s.user.Renew(ctx); err != nil {
		return nil, err
	}
	return s.user, nil
}

// End disconnects a user who is not admitted any more.
func (s *client) End(why protocol.RecheckResult, err error) {
	s.report("session", s.conn.Version(), why.Reason(), outcome.ResultOf(err))
	s.conn.Disconnect(why.Reason(), endText(why))
}

// endText says why a session ends.
func endText(why protocol.RecheckResult) string {
	switch why {
	case protocol.RecheckExpired:
		return "the token has expired"
	case protocol.RecheckGivenUp:
		return "nobody can tell whether the user is still admitted"
	default:
		return "the user is not admitted any more"
	}
}

// Closed ends every subscription, and commits what the client has acknowledged.
func (s *client) Closed(protocol.End) {
	s.end()
	s.recheck.Close()
	s.user.Close()
	s.gateway.holders.release(s.holder, s.conn)
	for _, subscription := range s.subscriptions {
		s.closing.Go(subscription.close)
	}
	s.closing.Wait()
}

// A holder is a client identifier of a user.
type holder struct{ user, client string }

// holders are the connections by their client identifier: a client that connects again takes over (section 3.1.4), as far as it comes
// to the same process.
type holders struct {
	mu   sync.Mutex
	held map[holder]*protocol.Conn
}

func (h *holders) take(by holder, c *protocol.Conn) {
	h.mu.Lock()
	before := h.held[by]
	h.held[by] = c
	h.mu.Unlock()
	if before != nil && by.user != "" { // whoever has not signed in ends nobody's connection
		before.Disconnect(packet.SessionTakenOver, "the client has connected elsewhere")
	}
}

func (h *holders) release(by holder, c *protocol.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held[by] == c {
		delete(h.held, by)
	}
}
