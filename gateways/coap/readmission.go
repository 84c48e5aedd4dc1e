package coap

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
)

const (
	// askingAgain is how many decisions are asked for at once after changes in the registry. A change of an application
	// concerns all of its devices at once.
	askingAgain = 512

	// Pauses between attempts to get a decision.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// askAgain gets the decision on a log-in once more. As long as nobody can say, it asks again, until
// Config.ReadmissionTimeout.
func (g *Gateway) askAgain(ctx context.Context, request auth.Request) (*auth.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, g.config.ReadmissionTimeout)
	defer cancel()
	for pauses := backoff.New(firstPause, longestPause); ; {
		session, err := g.ask(ctx, request)
		if o := outcome.Of(err); o == outcome.Accepted || o == outcome.Unauthenticated || o == outcome.Forbidden {
			return session, err
		}
		if !pauses.Wait(ctx) {
			return nil, err
		}
	}
}

// ask waits for its turn and asks once.
func (g *Gateway) ask(ctx context.Context, request auth.Request) (*auth.Session, error) {
	select {
	case g.asking <- struct{}{}:
		defer func() { <-g.asking }()
	case <-ctx.Done():
		return nil, outcome.Wrap(outcome.Unavailable, "", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, g.config.AuthTimeout)
	defer cancel()
	return g.devices.Authenticate(ctx, request)
}
