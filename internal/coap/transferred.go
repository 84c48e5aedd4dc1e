package coap

import "sync"

// transferred is how many bytes of messages come or go block by block, altogether and of each owner who is known.
type transferred struct {
	mu    sync.Mutex
	bytes int
	of    map[string]int
}

// reserve takes bytes out of so many. Who is known may not have more than stays free: so there is room for others whatever one takes.
func (t *transferred) reserve(owner string, n, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := most - t.bytes - n
	if left < 0 || owner != "" && t.of[owner]+n > left {
		return false
	}
	t.add(owner, n)
	return true
}

// free gives bytes back.
func (t *transferred) free(owner string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(owner, -n)
}

func (t *transferred) add(owner string, n int) {
	t.bytes += n
	if owner == "" {
		return
	}
	if t.of == nil {
		t.of = map[string]int{}
	}
	if t.of[owner] += n; t.of[owner] == 0 {
		delete(t.of, owner)
	}
}

// len is how many bytes are taken.
func (t *transferred) len() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(t.bytes)
}
