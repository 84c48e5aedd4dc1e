package auth

import "sync"

// shares bounds how many of one tenant are somewhere at the same time, where all share a larger bound.
type shares struct {
	limit int

	mu   sync.Mutex
	held map[string]int
}

func newShares(limit int) *shares { return &shares{limit: max(limit, 1), held: map[string]int{}} }

// enter tells whether there is room for one more of a tenant, and takes it.
func (s *shares) enter(tenant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[tenant] >= s.limit {
		return false
	}
	s.held[tenant]++
	return true
}

func (s *shares) leave(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[tenant]--; s.held[tenant] == 0 {
		delete(s.held, tenant)
	}
}
