package auth

// An lru is a bounded table that forgets what was not used for longest. It is not safe for concurrent use.
type lru[K comparable, V any] struct {
	limit int
	nodes map[K]*node[K, V]
	ring  node[K, V] // ring.next is the newest, ring.prev the oldest
}

type node[K comparable, V any] struct {
	prev, next *node[K, V]
	key        K
	value      V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	l := &lru[K, V]{limit: max(limit, 1), nodes: map[K]*node[K, V]{}}
	l.ring.prev, l.ring.next = &l.ring, &l.ring
	return l
}

func (l *lru[K, V]) get(key K) (value V, ok bool) {
	n, ok := l.nodes[key]
	if !ok {
		return value, false
	}
	n.unlink()
	l.push(n)
	return n.value, true
}

// put stores a value and gives back what it displaced: the key's former value, or the oldest one at the limit.
func (l *lru[K, V]) put(key K, value V) (displaced V, ok bool) {
	if n, found := l.nodes[key]; found {
		displaced, n.value = n.value, value
		n.unlink()
		l.push(n)
		return displaced, true
	}
	if len(l.nodes) >= l.limit {
		oldest := l.ring.prev
		displaced, ok = oldest.value, true
		l.remove(oldest.key)
	}
	n := &node[K, V]{key: key, value: value}
	l.nodes[key] = n
	l.push(n)
	return displaced, ok
}

func (l *lru[K, V]) remove(key K) {
	if n, ok := l.nodes[key]; ok {
		n.unlink()
		delete(l.nodes, key)
	}
}

func (l *lru[K, V]) len() int { return len(l.nodes) }

func (l *lru[K, V]) push(n *node[K, V]) {
	n.prev, n.next = &l.ring, l.ring.next
	n.prev.next, n.next.prev = n, n
}

func (n *node[K, V]) unlink() {
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = nil, nil
}
