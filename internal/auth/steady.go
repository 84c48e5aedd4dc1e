package auth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// paceMemory is how long refusals keep the pace of the slowest of them.
const paceMemory = 10 * time.Second

// Steady makes refusals look and take the same, whatever their reason. It is the outermost layer, so that a refusal
// from a cache takes as long as one from a password hash:
//
//   - A refusal is answered at a multiple of SteadyConfig.Quantum after the request. If one of the last seconds needed
//     more than one quantum, because hashes had to wait, all do.
//   - Failures of one device from one address are answered later and later, up to MaxDelay. After Failures in a minute,
//     the layers below are asked for nothing but credentials that they have verified before, so that guessing costs no
//     hash and comes to nothing, while the device itself, even from the same address, is still admitted.
//   - A bounded number of refusals waits. One more is answered as overloaded, at once.
//
// What is counted is what was presented, whether or not it exists. Admissions pass without delay. So do renewals (see
// Renewing), AuthorizeAs, whose sender is admitted already, and PreSharedKey, where a wrong key fails later, in the
// handshake: the adapter gives a device that has no key a random one.
type Steady struct {
	config  SteadyConfig
	next    Authenticator
	guard   *guard
	waiting chan struct{}
	pace    pace
	metrics *steadyMetrics
}

var _ Authenticator = (*Steady)(nil)

// NewSteady puts the outermost layer before the next one.
func NewSteady(c SteadyConfig, next Authenticator) *Steady {
	return &Steady{config: c, next: next, guard: newGuard(c), waiting: make(chan struct{}, c.Waiting), metrics: newSteadyMetrics()}
}

// Authenticate passes admissions and holds refusals back. When ctx ends, a refusal that still waits is given as it is.
func (s *Steady) Authenticate(ctx context.Context, r Request) (*Session, error) {
	if isRenewing(ctx) {
		return s.next.Authenticate(ctx, r)
	}
	started := time.Now()
	asked, exhausted := ctx, s.guard.exhausted(r)
	if exhausted {
		asked = onlyRemembered(ctx)
	}
	session, err := s.next.Authenticate(asked, r)
	if outcome.Of(err) != outcome.Unauthenticated {
		return session, err
	}
	if exhausted {
		s.metrics.count(s.metrics.throttled)
	}
	delay := s.config.Quantum
	if !errors.Is(err, errNotGuessed) {
		delay = s.guard.fail(r)
	}
	return nil, s.hold(ctx, started, delay)
}

// AuthorizeAs passes.
func (s *Steady) AuthorizeAs(ctx context.Context, session *Session, device string) (*registry.Device, error) {
	return s.next.AuthorizeAs(ctx, session, device)
}

// PreSharedKey passes.
func (s *Steady) PreSharedKey(ctx context.Context, application, device string) (Key, error) {
	return s.next.PreSharedKey(ctx, application, device)
}

// hold waits until a refusal is due.
func (s *Steady) hold(ctx context.Context, started time.Time, delay time.Duration) error {
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		s.metrics.count(s.metrics.crowded)
		return overloaded("too many refused log-ins at once")
	}
	s.metrics.count(s.metrics.delayed)
	quanta := max(s.pace.keep(quantaIn(time.Since(started), s.config.Quantum)), quantaIn(delay, s.config.Quantum))
	timer := time.NewTimer(time.Until(started.Add(time.Duration(quanta) * s.config.Quantum)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return refused()
}

// quantaIn is how many quanta a time takes, at least one.
func quantaIn(d, quantum time.Duration) int {
	return max(1, int((d+quantum-1)/quantum))
}

// A pace is the number of quanta that the slowest refusal of late has needed.
type pace struct {
	mu     sync.Mutex
	quanta int
	until  time.Time
}

// keep takes what one refusal needs and gives what all take.
func (p *pace) keep(quanta int) int {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if quanta >= p.quanta || now.After(p.until) {
		p.quanta, p.until = quanta, now.Add(paceMemory)
	}
	return p.quanta
}

// renewingKey marks a context of Renewing.
type renewingKey struct{}

// Renewing marks a request that was admitted before, and is asked again because its session was revoked. That is no guess
// of somebody outside, who learns nothing of the answer's time: it is neither held back nor counted. When an application
// is disabled, its sessions end as fast as they can be asked about.
func Renewing(ctx context.Context) context.Context {
	return context.WithValue(ctx, renewingKey{}, true)
}

func isRenewing(ctx context.Context) bool { return ctx.Value(renewingKey{}) != nil }
