package mqtt

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// Pauses between attempts to have a log-in judged again.
const (
	firstPause   = 250 * time.Millisecond // doubles, with jitter
	longestPause = 5 * time.Second
)

// A revocation is a revoked admission that nothing has replaced yet.
type revocation struct {
	since time.Time // zero: there is none
	tries int
}

// revoked is called when a document has changed that the admission rests on. The log-in is judged again soon: not at once,
// since a change of an application revokes the sessions of all its devices, in every gateway.
func (s *session) revoked() {
	now := time.Now()
	s.mu.Lock()
	s.revocation = revocation{since: now}
	s.mu.Unlock()
	s.gateway.rechecks.put(&s.recheck, now.Add(upTo(s.gateway.config.RenewalSpread)))
}

// recheck does what is due with a session: a certificate has ended, or a log-in is to be judged again. Until it is, the
// session goes on as it was.
func (g *Gateway) recheck(ctx context.Context, s *session) {
	if s.expired(time.Now()) {
		g.metrics.renewed(renewalExpired)
		s.client.Disconnect(packet.AdministrativeAction, "the certificate has expired")
		return
	}
	admitted, err := g.authenticate(ctx, s.request)
	switch outcome.Of(err) {
	case outcome.Accepted:
		s.renew(admitted)
	case outcome.Unauthenticated, outcome.Forbidden:
		g.metrics.renewed(renewalRefused)
		s.reportRenewal(err)
		s.client.Disconnect(packet.AdministrativeAction, "the device is not admitted any more")
	default:
		if ctx.Err() == nil {
			s.postpone(err)
		}
	}
}

// renew goes on with a new admission, if it is for the same device: an alias may have moved, and a device that was deleted
// and made again is another one.
func (s *session) renew(admitted *auth.Session) {
	old := s.admission.Load()
	if !sameResource(&old.Application.Metadata, &admitted.Application.Metadata) || !sameResource(&old.Device.Metadata, &admitted.Device.Metadata) {
		s.gateway.metrics.renewed(renewalReplaced)
		s.client.Disconnect(packet.AdministrativeAction, "the log-in is another device's now")
		return
	}
	s.gateway.metrics.renewed(renewalKept)
	s.admit(admitted)
}

func sameResource(a, b *registry.Metadata) bool { return a.Name == b.Name && a.UID == b.UID }

// postpone tries again later, because nobody could decide, but not for ever.
func (s *session) postpone(err error) {
	now := time.Now()
	s.mu.Lock()
	s.revocation.tries++
	d := s.revocation
	s.mu.Unlock()
	if now.Sub(d.since) >= s.gateway.config.RenewalTimeout {
		s.gateway.metrics.renewed(renewalGivenUp)
		s.gateway.log.Warn("log-in could not be judged again", append(names(s.admission.Load()), zap.Error(err))...)
		s.client.Disconnect(packet.ServerUnavailable, "nobody can tell whether the device is still admitted")
		return
	}
	s.gateway.metrics.renewed(renewalUndecided)
	s.gateway.rechecks.put(&s.recheck, earlier(now.Add(pauseAfter(d.tries)), s.admission.Load().Until()))
}

// pauseAfter is how long to wait after so many attempts, at least one.
func pauseAfter(tries int) time.Duration {
	pause := min(firstPause<<min(tries-1, 16), longestPause)
	return pause/2 + upTo(pause)
}

// upTo is a random duration below d; 0 for 0.
func upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// earlier is the earlier one of two times, of which the second may be zero for never.
func earlier(t, until time.Time) time.Time {
	if until.IsZero() || t.Before(until) {
		return t
	}
	return until
}
