package auth

import (
	"context"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
)

const (
	// askingAgain is how many decisions are asked for at once after changes in the registry. A change of an application
	// concerns all of its devices at once.
	askingAgain = 512

	// Pauses between attempts to get a decision.
	firstReadmissionPause   = 100 * time.Millisecond
	longestReadmissionPause = 5 * time.Second
)

// A Readmission asks again about sessions that were revoked. It is safe for concurrent use.
type Readmission struct {
	devices          Authenticator
	attempt, longest time.Duration
	turns            chan struct{} // has one for each decision that is asked for
}

// NewReadmission asks for each session again, for at most attempt each time, until longest is over.
func NewReadmission(devices Authenticator, attempt, longest time.Duration) *Readmission {
	return &Readmission{devices: devices, attempt: attempt, longest: longest, turns: make(chan struct{}, askingAgain)}
}

// Ask gets the decision on a session once more, for a request of Session.Renew. As long as nobody can say, it asks again. Errors are those
// of Authenticate, and outcome.Unauthenticated when the log-in is another device's now.
func (r *Readmission) Ask(ctx context.Context, before *Session, request Request) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, r.longest)
	defer cancel()
	for pauses := backoff.New(firstReadmissionPause, longestReadmissionPause); ; {
		session, err := r.ask(ctx, request)
		switch outcome.Of(err) {
		case outcome.Accepted:
			if !session.SameDevices(before) {
				return nil, outcome.New(outcome.Unauthenticated, "")
			}
			return session, nil
		case outcome.Unauthenticated, outcome.Forbidden:
			return nil, err
		}
		if !pauses.Wait(ctx) {
			return nil, err
		}
	}
}

// ask waits for its turn and asks once.
func (r *Readmission) ask(ctx context.Context, request Request) (*Session, error) {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return nil, outcome.Wrap(outcome.Unavailable, "", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, r.attempt)
	defer cancel()
	return r.devices.Authenticate(ctx, request)
}

// SameDevices tells whether two sessions are of the same devices: one that was deleted and made anew is another.
func (s *Session) SameDevices(other *Session) bool {
	return s.Application.Metadata.UID == other.Application.Metadata.UID && s.Device.Metadata.UID == other.Device.Metadata.UID &&
		s.Device.Metadata.Name == other.Device.Metadata.Name && s.Target().Metadata.Name == other.Target().Metadata.Name &&
		s.Target().Metadata.UID == other.Target().Metadata.UID
}
