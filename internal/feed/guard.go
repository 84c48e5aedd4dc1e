package feed

import (
	"context"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

// Users finds out who somebody is. *user.Authenticator does.
type Users interface {
	Admit(ctx context.Context, credential user.Credential) (*user.Identity, user.Standing, error)
	Again(ctx context.Context, s user.Standing) (*user.Identity, error)
}

// Applications says to whom applications belong. The access of one that does not exist is the zero value.
type Applications interface {
	Access(ctx context.Context, application string) (user.Access, error)
}

// A Guard admits users to applications. It is safe for concurrent use.
type Guard struct {
	users        Users
	applications Applications

	mu       sync.Mutex
	sessions map[*Session]struct{}
}

// NewGuard makes a guard.
func NewGuard(users Users, applications Applications) *Guard {
	return &Guard{users: users, applications: applications, sessions: map[*Session]struct{}{}}
}

// Hear has the sessions judged again that rest on what has changed. It is for cache.Cache.Subscribe.
func (g *Guard) Hear(e cache.Event) {
	if e.Everything {
		g.revoke(func(*Session) bool { return true })
		return
	}
	if e.Change.Kind == registry.ApplicationChanged {
		g.revoke(func(s *Session) bool { return s.restsOn(e.Change.Application) })
	}
}

// Run has every session judged again from time to time, since nobody tells of access tokens that were deleted.
func (g *Guard) Run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			g.revoke(func(s *Session) bool { return !s.anonymous() })
		case <-ctx.Done():
			return
		}
	}
}

func (g *Guard) revoke(concerned func(*Session) bool) {
	g.mu.Lock()
	var all []*Session
	for s := range g.sessions {
		if concerned(s) {
			all = append(all, s)
		}
	}
	g.mu.Unlock()
	for _, s := range all {
		s.revoke()
	}
}

// Open begins a session of who shows a credential; nil is nobody, who may read what is public. Its errors are those of
// user.Authenticator.Check.
func (g *Guard) Open(ctx context.Context, credential user.Credential) (*Session, error) {
	identity, standing, err := g.users.Admit(ctx, credential)
	if err != nil {
		return nil, err
	}
	s := &Session{guard: g, identity: identity, standing: standing, applications: map[string]int{}}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions[s] = struct{}{}
	return s, nil
}

// ErrDenied is the error for an application that somebody may not use, and for one that does not exist: they look the same.
var ErrDenied = outcome.New(outcome.Forbidden, "there is no such application, or it may not be used")

// decide is nil if somebody may do something with an application.
func (g *Guard) decide(ctx context.Context, i *user.Identity, application string, p user.Permission) error {
	access, err := g.applications.Access(ctx, application)
	if err != nil {
		return outcome.Wrap(outcome.Unavailable, "nobody can tell who may use the application; try again later", err)
	}
	if !user.Decide(i, access, p) {
		return ErrDenied
	}
	return nil
}

// Len is the number of sessions.
func (g *Guard) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sessions)
}
