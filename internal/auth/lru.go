package auth

import "github.com/hashicorp/golang-lru/v2/simplelru"

// newLRU makes a table of at most so many entries, at least one, that forgets what was not used for longest. It is not safe
// for concurrent use.
func newLRU[K comparable, V any](limit int) *simplelru.LRU[K, V] {
	l, _ := simplelru.NewLRU[K, V](max(limit, 1), nil) // the only error is that of a limit below 1
	return l
}
