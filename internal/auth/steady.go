package auth

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// paceMemory is how long refusals keep the pace of the slowest of them.
const paceMemory = 10 * time.Second

// Steady makes refusals look and take the same, whatever their reason. It is the outermost layer, so that a refusal
// from a cache takes as long as one from a password hash:
//
//   - A refusal is answered at a multiple of SteadyConfig.Quantum after the request. If one of the last seconds needed
//     more than one quantum, because hashes had to wait, all of that application do.
//   - Failures of one device from one address are answered later and later, up to MaxDelay. After Failures in a minute,
//     the layers below are asked for nothing but credentials that they have verified before, so that guessing costs no
//     hash and comes to nothing, while the device itself, even from the same address, is still admitted.
//   - A bounded number of refusals waits, and a smaller one of one application. One more is answered as overloaded, at once.
//
// What is counted is what was presented, whether or not it exists, and apart for each application: whoever guesses at one
// slows down nobody's refusals but its own. Admissions pass without delay. So do renewals (see Request.Renewal), AuthorizeAs, whose sender is admitted already, and PreSharedKey, where a wrong key fails later, in the
// handshake: the adapter gives a device that has no key a random one.
//
// It stands where devices are connected, never in the authentication function: there a refusal that waits would hold up a
// connection that others need.
type Steady struct {
	config   SteadyConfig
	next     Authenticator
	failures *failureCounter
	waiting  chan struct{}
	shares   *shares // of waiting
	paces    paces
	metrics  *steadyMetrics
}

var _ Authenticator = (*Steady)(nil)

// NewSteady puts the outermost layer before the next one.
func NewSteady(c SteadyConfig, next Authenticator) *Steady {
	return &Steady{config: c, next: next, failures: newFailureCounter(c), waiting: make(chan struct{}, c.Waiting),
		shares: newShares(c.WaitingShare), paces: paces{known: newLRU[string, pace](maxPaces)}, metrics: newSteadyMetrics()}
}

// Authenticate passes admissions and holds refusals back. When ctx ends, a refusal that still waits is given as it is.
func (s *Steady) Authenticate(ctx context.Context, r Request) (*Session, error) {
	if r.Renewal {
		return s.next.Authenticate(ctx, r)
	}
	started := time.Now()
	asked, exhausted := ctx, s.failures.exhausted(r)
	if exhausted {
		asked = OnlyVerified(ctx)
	}
	session, err := s.next.Authenticate(asked, r)
	if outcome.Of(err) != outcome.Unauthenticated {
		return session, err
	}
	delay := s.config.Quantum
	if countsAsFailure(r.Credential) && !hadRightCredential(err) {
		delay = s.failures.fail(r)
	}
	if exhausted {
		s.metrics.count(s.metrics.throttled)
		err = refusedFor(errExhausted)
	}
	return nil, s.hold(ctx, r.Application, started, delay, err)
}

// countsAsFailure tells whether a credential that was refused may have been a guess. What a handshake has proven is none.
func countsAsFailure(c Credential) bool {
	switch c.(type) {
	case CertificateChain, Proof, Vouched:
		return false
	default:
		return true
	}
}

// AuthorizeAs passes.
func (s *Steady) AuthorizeAs(ctx context.Context, session *Session, device string) (*registry.Device, error) {
	return s.next.AuthorizeAs(ctx, session, device)
}

// PreSharedKey passes.
func (s *Steady) PreSharedKey(ctx context.Context, application, device string) (Key, error) {
	return s.next.PreSharedKey(ctx, application, device)
}

// hold waits until a refusal is due, and returns it.
func (s *Steady) hold(ctx context.Context, application string, started time.Time, delay time.Duration, refusal error) error {
	if !s.shares.enter(application) {
		s.metrics.count(s.metrics.crowded)
		return overloaded("too many refused log-ins at once")
	}
	defer s.shares.leave(application)
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		s.metrics.count(s.metrics.crowded)
		return overloaded("too many refused log-ins at once")
	}
	s.metrics.count(s.metrics.delayed)
	quanta := max(s.paces.keep(application, quantaIn(time.Since(started), s.config.Quantum)), quantaIn(delay, s.config.Quantum))
	timer := time.NewTimer(time.Until(started.Add(time.Duration(quanta) * s.config.Quantum)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return refusal
}

// quantaIn is how many quanta a time takes, at least one.
func quantaIn(d, quantum time.Duration) int {
	return max(1, int((d+quantum-1)/quantum))
}

// maxPaces is how many applications are remembered whose refusals needed more than one quantum.
const maxPaces = 1024

// A pace is the number of quanta that the slowest refusal of late has needed, and until when all others take that.
type pace struct {
	quanta int
	until  time.Time
}

// paces are those of applications, by the name that was presented. One quantum is not worth remembering.
type paces struct {
	mu    sync.Mutex
	known *simplelru.LRU[string, pace]
}

// keep takes what one refusal needs and gives what all of the application take.
func (p *paces) keep(application string, quanta int) int {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.known.Get(application)
	switch {
	case ok && quanta < known.quanta && !now.After(known.until):
		return known.quanta
	case quanta > 1:
		p.known.Add(application, pace{quanta, now.Add(paceMemory)})
	case ok:
		p.known.Remove(application)
	}
	return quanta
}
