package mqtt

import (
	"context"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/presence"
)

// presences know which device is connected where. presence.Tracker is one; see trackerPresences.
type presences interface {
	// Claim makes the session the one of its device; lost is called once if another one takes over.
	Claim(ctx context.Context, s *auth.Session, will *presence.Will, lost func()) (lease, error)
}

// A lease is a claim that holds. Release ends it, and publishes the will if asked to. It does not block.
type lease interface{ Release(fireWill bool) }

// trackerPresences are those that a tracker keeps.
type trackerPresences struct{ tracker *presence.Tracker }

func (p trackerPresences) Claim(ctx context.Context, s *auth.Session, will *presence.Will, lost func()) (lease, error) {
	l, err := p.tracker.Claim(ctx, s, will, lost)
	if err != nil {
		return nil, err
	}
	return l, nil
}
