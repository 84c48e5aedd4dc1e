package feed

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/user"
)

// A Session is a user with the applications that they read from. It is safe for concurrent use.
type Session struct {
	guard *Guard

	mu           sync.Mutex
	identity     *user.Identity
	standing     user.Standing
	applications map[string]int // how often each is read from
	revoked      func()         // is called once when something changes; nil if nobody waits for that
	dirty        bool           // something has changed that nobody was told of
}

// Identity is who it is.
func (s *Session) Identity() *user.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.identity
}

// Read admits the user to an application's events, until Leave. The error is ErrDenied, or an outcome.Unavailable.
func (s *Session) Read(ctx context.Context, application string) error {
	s.mu.Lock()
	s.applications[application]++ // before it is asked, so that no change is missed
	identity := s.identity
	s.mu.Unlock()
	err := s.guard.decide(ctx, identity, application, user.Read)
	if err != nil {
		s.Leave(application)
	}
	return err
}

// Leave ends what Read began.
func (s *Session) Leave(application string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.applications[application]--; s.applications[application] <= 0 {
		delete(s.applications, application)
	}
}

// May tells whether the user may do something with an application now. The errors are those of Read.
func (s *Session) May(ctx context.Context, application string, p user.Permission) error {
	return s.guard.decide(ctx, s.Identity(), application, p)
}

// Until is when the credential expires; zero is never.
func (s *Session) Until() time.Time { return s.Identity().Until }

// OnRevoked has a function called once when something has changed that the session rests on. It does not block.
func (s *Session) OnRevoked(call func()) (stop func() bool) {
	s.mu.Lock()
	dirty := s.dirty
	s.dirty = false
	if !dirty {
		s.revoked = call
	}
	s.mu.Unlock()
	if dirty {
		call()
	}
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		waiting := s.revoked != nil
		s.revoked = nil
		return waiting
	}
}

// Renew judges the session again: its credential, and every application that it reads from. The errors are those of
// user.Authenticator.Check and of Read.
func (s *Session) Renew(ctx context.Context) error {
	s.mu.Lock()
	standing, applications := s.standing, slices.Collect(maps.Keys(s.applications))
	s.dirty = false
	s.mu.Unlock()
	identity, err := s.guard.users.Again(ctx, standing)
	if err != nil {
		return err
	}
	for _, application := range applications {
		if err := s.guard.decide(ctx, identity, application, user.Read); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.standing == standing {
		s.identity = identity
	}
	return nil
}

// Replace goes on with another credential of the same user. The errors are those of user.Authenticator.Check, and ErrDenied for
// another user.
func (s *Session) Replace(ctx context.Context, credential user.Credential) error {
	identity, standing, err := s.guard.users.Admit(ctx, credential)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if identity.ID != s.identity.ID {
		return ErrDenied
	}
	s.identity, s.standing = identity, standing
	return nil
}

// Close ends the session.
func (s *Session) Close() {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	delete(s.guard.sessions, s)
}

func (s *Session) revoke() {
	s.mu.Lock()
	call := s.revoked
	s.revoked = nil
	s.dirty = call == nil
	s.mu.Unlock()
	if call != nil {
		call()
	}
}

func (s *Session) restsOn(application string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.applications[application]
	return ok
}

func (s *Session) anonymous() bool { return s.Identity().Anonymous() }
