package mqtt

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/registry"
)

// A session is the connection of an admitted device.
type session struct {
	gateway *Gateway
	client  client
	request auth.Request // kept to be asked again, without a password
	dialect registry.Dialect
	lease   lease

	admission     atomic.Pointer[auth.Session] // the newest
	subscriptions map[string]*subscription     // by filter; only for the connection's own goroutine

	recheck recheck // in the gateway's recheckQueue

	mu         sync.Mutex
	closed     bool
	stop       func() bool // takes the session out of what hears of the admission's revocation
	revocation revocation
}

var _ protocol.Session = (*session)(nil)

func newSession(g *Gateway, c client, r auth.Request, d registry.Dialect) *session {
	s := &session{gateway: g, client: c, request: r, dialect: d}
	s.recheck = recheck{session: s, index: -1}
	return s
}

// lost is called when another session of the device has taken over.
func (s *session) lost() {
	s.client.Disconnect(packet.SessionTakenOver, "the device has connected elsewhere")
}

// Closed releases what the session holds. A connection that did not end as its client said it would publishes the will.
func (s *session) Closed(e protocol.End) {
	for _, subscription := range s.subscriptions {
		subscription.close()
	}
	s.gateway.rechecks.remove(&s.recheck)
	s.mu.Lock()
	s.closed = true
	stop := s.stop
	s.mu.Unlock()
	stop()
	s.lease.Release(!e.Normal)
	s.gateway.log.Debug("device disconnected", append(names(s.admission.Load()), zap.Uint8("reason", uint8(e.Reason)), zap.Bool("normal", e.Normal))...)
}

// admit has the session rest on an admission, until that is revoked or ends.
func (s *session) admit(a *auth.Session) {
	s.admission.Store(a)
	if until := a.Until(); !until.IsZero() {
		s.gateway.rechecks.put(&s.recheck, until)
	}
	stop := a.OnRevoked(s.revoked)
	s.mu.Lock()
	s.stop = stop
	closed := s.closed
	s.mu.Unlock()
	if closed {
		stop()
	}
}

// expired tells whether the certificate has ended with which the device logged in.
func (s *session) expired(now time.Time) bool {
	until := s.admission.Load().Until()
	return !until.IsZero() && !now.Before(until)
}
