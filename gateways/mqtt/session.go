package mqtt

import (
	"sync/atomic"

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
	recheck *protocol.Recheck

	awaited       awaited                      // answers that the client owes
	admission     atomic.Pointer[auth.Session] // the newest
	subscriptions map[string]*subscription     // by filter; only for the connection's own goroutine
}

var _ protocol.Session = (*session)(nil)

func newSession(g *Gateway, c client, r auth.Request, d registry.Dialect) *session {
	s := &session{gateway: g, client: c, request: r, dialect: d}
	s.recheck = g.rechecker.Add(s)
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
	s.recheck.Close()
	s.lease.Release(!e.Normal)
	s.gateway.log.Debug("device disconnected", append(names(s.admission.Load()), zap.Uint8("reason", uint8(e.Reason)), zap.Bool("normal", e.Normal))...)
}
