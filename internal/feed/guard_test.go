package feed

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

// people are users by their token, and to whom applications belong.
type people struct {
	mu     sync.Mutex
	tokens map[string]*user.Identity
	access map[string]user.Access
	away   error
	gone   bool // no token is taken any more
}

func (p *people) Admit(_ context.Context, c user.Credential) (*user.Identity, user.Standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c == nil {
		return &user.Identity{}, user.Standing{}, nil
	}
	token, _ := c.(user.Bearer)
	if i, ok := p.tokens[string(token)]; ok && !p.gone {
		return i, user.Standing{}, nil
	}
	return nil, user.Standing{}, outcome.New(outcome.Unauthenticated, "")
}

func (p *people) Again(ctx context.Context, _ user.Standing) (*user.Identity, error) {
	i, _, err := p.Admit(ctx, user.Bearer("ada"))
	return i, err
}

func (p *people) Access(_ context.Context, application string) (user.Access, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.access[application], p.away
}

func newPeople() *people {
	return &people{
		tokens: map[string]*user.Identity{"ada": {ID: "ada"}, "bob": {ID: "bob"}, "ada2": {ID: "ada"}},
		access: map[string]user.Access{
			"plant":  {Application: "plant", Owner: "ada"},
			"public": {Application: "public", Owner: "bob", Members: map[string]user.Role{user.Everyone: user.RoleReader}},
		},
	}
}

func TestWhoMayRead(t *testing.T) {
	g := NewGuard(newPeople(), newPeople())
	f := func(token, application string, want error) {
		t.Helper()
		var c user.Credential
		if token != "" {
			c = user.Bearer(token)
		}
		s, err := g.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Read(t.Context(), application); !errors.Is(err, want) {
			t.Errorf("%s, %s: %v, want %v", token, application, err, want)
		}
	}
	f("ada", "plant", nil)
	f("bob", "plant", ErrDenied)
	f("", "plant", ErrDenied)
	f("bob", "nowhere", ErrDenied)
	f("", "public", nil)
	f("ada", "public", nil)
	if _, err := g.Open(t.Context(), user.Bearer("eve")); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("eve: %v", err)
	}
	if n := len(g.sessions); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestSessionsAreJudgedAgain(t *testing.T) {
	p := newPeople()
	g := NewGuard(p, p)
	s, err := g.Open(t.Context(), user.Bearer("ada"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Read(t.Context(), "plant"); err != nil {
		t.Fatal(err)
	}
	calls := 0
	call := func() { calls++ }
	expect := func(want int) {
		t.Helper()
		if calls != want {
			t.Errorf("told %d times, want %d", calls, want)
		}
		calls = 0
	}
	changed := func(application string) {
		g.Hear(cache.Event{Change: registry.Change{Kind: registry.ApplicationChanged, Application: application}})
	}
	s.OnRevoked(call)
	changed("other")
	g.Hear(cache.Event{Change: registry.Change{Kind: registry.DeviceChanged, Application: "plant"}})
	expect(0)
	changed("plant")
	changed("plant")
	expect(1)
	s.OnRevoked(call) // something has changed since
	expect(1)
	s.OnRevoked(call)
	g.Hear(cache.Event{Everything: true})
	expect(1)

	if err := s.Renew(t.Context()); err != nil {
		t.Error(err)
	}
	p.away = errors.New("away")
	if err := s.Renew(t.Context()); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("when nobody can be asked: %v", err)
	}
	p.away = nil
	p.access["plant"] = user.Access{Application: "plant", Owner: "bob"}
	if err := s.Renew(t.Context()); !errors.Is(err, ErrDenied) {
		t.Errorf("of another's application: %v", err)
	}
	s.Leave("plant")
	if err := s.Renew(t.Context()); err != nil {
		t.Error(err)
	}
	p.gone = true
	if err := s.Renew(t.Context()); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("without its token: %v", err)
	}
}

func TestReplaceIsForTheSameUser(t *testing.T) {
	p := newPeople()
	s, err := NewGuard(p, p).Open(t.Context(), user.Bearer("ada"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(t.Context(), user.Bearer("ada2")); err != nil {
		t.Error(err)
	}
	if err := s.Replace(t.Context(), user.Bearer("bob")); !errors.Is(err, ErrDenied) {
		t.Errorf("bob: %v", err)
	}
	if err := s.Replace(t.Context(), user.Bearer("eve")); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("eve: %v", err)
	}
}
