package fairshare

import "sync"

// A Pool counts what many owners take out of a bounded number, where nobody can be asked to give way. An owner who has more than is
// free gets nothing: so there is something left for others whatever one takes. All methods may be called from any goroutine; the zero
// value is empty.
type Pool struct {
	mu    sync.Mutex
	taken int
	of    map[string]int
}

// Take takes n of at most so many, if an owner may. "" is whoever is not known, and may have all that is free.
func (p *Pool) Take(owner string, n, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	free := most - p.taken
	if n > free || owner != "" && p.of[owner] > free {
		return false
	}
	p.add(owner, n)
	return true
}

// Return gives n back.
func (p *Pool) Return(owner string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(owner, -n)
}

func (p *Pool) add(owner string, n int) {
	p.taken += n
	if owner == "" {
		return
	}
	if p.of == nil {
		p.of = map[string]int{}
	}
	if p.of[owner] += n; p.of[owner] == 0 {
		delete(p.of, owner)
	}
}

// Len is how many are taken.
func (p *Pool) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
