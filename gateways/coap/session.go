package coap

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/dtls"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// refusedFor is how long a session goes on whose device was refused, so that its requests are answered with the refusal.
const refusedFor = 5 * time.Second

// A session is one DTLS session, and the device that has proven itself in its handshake, if it has.
type session struct {
	gateway *Gateway
	conn    *dtls.Conn
	request auth.Request    // without Credential if nothing was proven
	ctx     context.Context // of asking again; ends with the session

	// What arrives is read into here, and not into the stack, which is the largest part of an idle session as it is.
	buffer [protocol.MaxMessage]byte

	mu       sync.Mutex
	admitted *auth.Session
	first    *auth.Session // whom the session was given to
	stop     func() bool   // listening for the revocation of admitted
	timers   [3]*time.Timer
	closed   bool
}

// A reason is one for which a session ends at a certain time; each has a timer.
type reason int

const (
	keyEnds reason = iota
	certificateEnds
	refused
)

// serve runs a DTLS session until it ends.
func (g *Gateway) serve(conn *dtls.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &session{gateway: g, conn: conn, ctx: ctx, request: requestOf(conn)}
	defer s.end()
	s.endAt(keyEnds, conn.Until())
	if s.proven() {
		bounded, cancel := context.WithTimeout(ctx, g.config.AuthTimeout)
		_, _ = s.admit(bounded) // each request asks again if nobody could say
		cancel()
	}
	peer := g.endpoint.Peer(protocol.Transport{Remote: conn.Remote, Send: conn.Write, Admitted: conn.Keep, Proven: true}, s)
	defer peer.Close()
	for b := s.buffer[:]; ; {
		n, err := conn.Read(b)
		if err != nil {
			return
		}
		peer.Receive(b[:n])
		clear(b[:n]) // a request may have had a password
	}
}

// requestOf is the log-in that a handshake has proven. What is proven but names no device is a log-in that nobody answers to.
func requestOf(conn *dtls.Conn) (request auth.Request) {
	var err error
	switch identity, chain := conn.Identity(), conn.Chain(); {
	case identity != "":
		proof := auth.Proof(conn.Proof())
		if request, err = auth.FromIdentity(identity, proof); err != nil {
			request = auth.Request{Credential: proof}
		}
	case len(chain) > 0:
		if request, err = auth.FromCertificates(chain); err != nil {
			request = auth.Request{Credential: auth.CertificateChain(chain)}
		}
	}
	request.Remote, request.Protocol = conn.Remote().Addr().String(), refusal.CoAP
	return request
}

// belongsTo tells whether the device of a session may say that it is of an application; "" says nothing. A chain of
// certificates that leads to trust anchors of several applications needs that before it is admitted.
func (s *session) belongsTo(application string) bool {
	if application == "" {
		return true
	}
	chain, ok := s.request.Credential.(auth.CertificateChain)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admitted != nil {
		return s.admitted.Application.Metadata.Name == application
	}
	named, err := auth.FromCertificatesOf(application, chain)
	if err != nil {
		return false
	}
	named.Remote, named.Protocol = s.request.Remote, s.request.Protocol
	s.request = named
	return true
}

// proven tells whether the device has proven itself in the handshake.
func (s *session) proven() bool { return s.request.Credential != nil }

// admit is the device's admission, for which it asks if there is none.
func (s *session) admit(ctx context.Context) (*auth.Session, error) {
	s.mu.Lock()
	admitted := s.admitted
	s.mu.Unlock()
	if admitted != nil {
		return admitted, nil
	}
	admitted, err := s.gateway.devices.Authenticate(ctx, s.request)
	switch {
	case outcome.Of(err) == outcome.Unauthenticated:
		s.gateway.metrics.ended(endRefused)
		s.endAt(refused, time.Now().Add(refusedFor))
		return nil, err
	case err != nil:
		return nil, err
	}
	if !s.hold(admitted) {
		return nil, outcome.New(outcome.Unauthenticated, "")
	}
	s.conn.Keep()
	return admitted, nil
}

// hold keeps an admission and follows its revocation. It tells whether the admission is that of the device that the session
// was given to: one that was deleted and made anew is another.
func (s *session) hold(admitted *auth.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = admitted
	}
	if s.closed || !s.first.SameDevices(admitted) {
		return false
	}
	s.admitted = admitted
	if timer := s.timers[refused]; timer != nil { // it named its application after all
		timer.Stop()
		s.timers[refused] = nil
	}
	s.stop = admitted.OnRevoked(func() { go s.revoked(admitted) })
	s.set(certificateEnds, admitted.Until())
	return true
}

// revoked asks again, since something has changed that the admission rested on. The session ends if the answer is no.
func (s *session) revoked(admission *auth.Session) {
	s.mu.Lock()
	current := s.admitted == admission && !s.closed
	s.mu.Unlock()
	if !current {
		return
	}
	admitted, err := s.gateway.readmission.Ask(s.ctx, admission, admission.Renew(s.request))
	switch {
	case s.ctx.Err() != nil:
		return
	case err == nil && s.hold(admitted):
		return
	case err != nil && outcome.Of(err) != outcome.Unauthenticated:
		s.gateway.metrics.ended(endUndecided)
	default:
		s.gateway.metrics.ended(endRevoked)
		s.reportEnd(err)
	}
	s.gateway.log.Debug("DTLS session ended: its device is not admitted any more", zap.Stringer("remote", s.conn.Remote()))
	s.conn.Close()
}

// endAt has the session end at a moment; zero is never.
func (s *session) endAt(why reason, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(why, at)
}

// set is endAt for who holds the lock.
func (s *session) set(why reason, at time.Time) {
	if at.IsZero() || s.closed || (why == refused && s.timers[refused] != nil) {
		return
	}
	if s.timers[why] != nil {
		s.timers[why].Stop()
	}
	s.timers[why] = time.AfterFunc(time.Until(at), func() {
		if why != refused {
			s.gateway.metrics.ended(endExpired)
		}
		s.conn.Close()
	})
}

// end lets go of what a session that is over held.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.stop != nil {
		s.stop()
	}
	for _, timer := range s.timers {
		if timer != nil {
			timer.Stop()
		}
	}
}
