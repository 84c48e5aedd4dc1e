package identity

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
)

// An expiringMap keeps a bounded number of values for a bounded time. If there is no room, what was used least recently goes.
type expiringMap[V any] struct{ *expirable.LRU[string, V] }

func newExpiringMap[V any](limit int, lifetime time.Duration) expiringMap[V] {
	return expiringMap[V]{expirable.NewLRU[string, V](limit, nil, lifetime)}
}

// take gives a value to the first who asks for it, unless it has expired.
func (m expiringMap[V]) take(key string) (value V, ok bool) {
	value, ok = m.Get(key)
	return value, m.Remove(key) && ok
}
