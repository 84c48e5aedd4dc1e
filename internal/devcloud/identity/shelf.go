package identity

import (
	"sync"
	"time"
)

// A shelf keeps a bounded number of things for a bounded time.
type shelf[V any] struct {
	limit    int
	lifetime time.Duration

	mu    sync.Mutex
	items map[string]item[V]
}

type item[V any] struct {
	value V
	until time.Time
}

func newShelf[V any](limit int, lifetime time.Duration) *shelf[V] {
	return &shelf[V]{limit: limit, lifetime: lifetime, items: map[string]item[V]{}}
}

// put keeps a thing. If there is no room, what would expire first goes.
func (s *shelf[V]) put(key string, value V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, present := s.items[key]; !present && len(s.items) >= s.limit {
		oldest := ""
		for other, i := range s.items {
			if oldest == "" || i.until.Before(s.items[oldest].until) {
				oldest = other
			}
		}
		delete(s.items, oldest)
	}
	s.items[key] = item[V]{value, time.Now().Add(s.lifetime)}
}

// get gives a thing unless it has expired.
func (s *shelf[V]) get(key string) (value V, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[key]
	if !ok || time.Now().After(i.until) {
		return value, false
	}
	return i.value, true
}

// take gives a thing to the first who asks, unless it has expired.
func (s *shelf[V]) take(key string) (value V, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[key]
	delete(s.items, key)
	return i.value, ok && !time.Now().After(i.until)
}
