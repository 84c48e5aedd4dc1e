package user

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/fairlead/fairlead/internal/registry"
)

// A memory is the store of a test.
type memory struct {
	mu     sync.Mutex
	tokens []Token
	names  map[string]string // by ID
	away   error             // what everything answers, if not nil
	taken  int               // how many more times CreateToken says that a token is taken
}

var (
	_ TokenStore = (*memory)(nil)
	_ Directory  = (*memory)(nil)

	errAway = errors.New("the store is away")
)

func newMemory() *memory { return &memory{names: map[string]string{}} }

func (m *memory) CreateToken(_ context.Context, token Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return m.away
	}
	if m.taken > 0 {
		m.taken--
		return ErrTokenTaken
	}
	m.tokens = append(m.tokens, token)
	return nil
}

func (m *memory) ListTokens(_ context.Context, userID string) (list []Token, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, token := range m.tokens {
		if token.UserID == userID {
			list = append(list, token)
		}
	}
	return list, m.away
}

func (m *memory) DeleteToken(_ context.Context, userID, prefix string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.tokens)
	m.tokens = slices.DeleteFunc(m.tokens, func(t Token) bool { return t.UserID == userID && t.Prefix == prefix })
	if m.away == nil && len(m.tokens) == before {
		return registry.ErrNotFound
	}
	return m.away
}

func (m *memory) FindToken(_ context.Context, hash string) (*Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, token := range m.tokens {
		if token.Hash == hash && m.away == nil {
			return &token, nil
		}
	}
	if m.away != nil {
		return nil, m.away
	}
	return nil, registry.ErrNotFound
}

func (m *memory) RememberUser(_ context.Context, id, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return m.away
	}
	for other, taken := range m.names {
		if taken == name && other != id {
			return ErrNameTaken
		}
	}
	m.names[id] = name
	return nil
}

func (m *memory) UserByName(_ context.Context, name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, known := range m.names {
		if id == name || known == name {
			return id, m.away
		}
	}
	return "", registry.ErrNotFound
}

func (m *memory) UserNames(_ context.Context, ids []string) (map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := map[string]string{}
	for _, id := range ids {
		if name, ok := m.names[id]; ok {
			names[id] = name
		}
	}
	return names, m.away
}
