package forward

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
)

// admissionAge is how long an admission is used before it is asked for again. It is the safety net below revocation.
const admissionAge = time.Minute

// An identity is the forwarder as a gateway device that is admitted, or is trying to be.
type identity struct {
	config  Config
	devices auth.Authenticator
	log     *zap.Logger
	proven  bool // has been admitted before; only run looks at it

	mu       sync.Mutex
	present  *auth.Session // nil while the gateway is not admitted
	admitted chan struct{} // closed while it is
}

func newIdentity(c Config, devices auth.Authenticator, log *zap.Logger) *identity {
	return &identity{config: c, devices: devices, log: log, admitted: make(chan struct{})}
}

// run keeps the gateway admitted until ctx ends.
func (i *identity) run(ctx context.Context) {
	for pauses := backoff.New(firstPause, i.config.RetryDelay); ctx.Err() == nil; {
		session, err := i.ask(ctx)
		wait := admissionAge
		switch {
		case err == nil:
			pauses.Reset()
			i.proven = true
			i.hold(session)
		case ctx.Err() != nil:
			return
		default:
			wait = pauses.Next()
			i.refused(err)
		}
		i.rest(ctx, wait)
	}
}

// ask logs in. Until it has been admitted, the forwarder is treated like a stranger.
func (i *identity) ask(ctx context.Context) (*auth.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, i.config.AuthTimeout)
	defer cancel()
	g := i.config.Gateway
	return i.devices.Authenticate(ctx, auth.Request{Application: g.Application, Device: g.Device, Credential: auth.Password(g.Password), Protocol: i.config.Protocol, Renewal: i.proven})
}

// refused drops an admission that is not given any more. One that nobody can decide on stays, until it is revoked.
func (i *identity) refused(err error) {
	if outcome.Of(err) == outcome.Unauthenticated {
		i.hold(nil)
	}
	i.log.Warn("the gateway device is not admitted", zap.String("application", i.config.Gateway.Application),
		zap.String("device", i.config.Gateway.Device), zap.Stringer("outcome", outcome.Of(err)))
}

// rest waits. When the present admission is revoked it is over at once, and so is the wait.
func (i *identity) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var revoked <-chan struct{}
	if session := i.current(); session != nil {
		revoked = session.Revoked
	}
	select {
	case <-timer.C:
	case <-revoked:
		i.hold(nil)
	case <-ctx.Done():
	}
}

func (i *identity) hold(session *auth.Session) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.present == nil && session != nil {
		close(i.admitted)
	}
	if i.present != nil && session == nil {
		i.admitted = make(chan struct{})
	}
	i.present = session
}

func (i *identity) current() *auth.Session {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.present
}

// session is the gateway's admission, which is waited for. It is nil if stop is closed before there is one.
func (i *identity) session(stop <-chan struct{}) *auth.Session {
	for {
		i.mu.Lock()
		session, admitted := i.present, i.admitted
		i.mu.Unlock()
		if session != nil {
			return session
		}
		select {
		case <-admitted:
		case <-stop:
			return nil
		}
	}
}
