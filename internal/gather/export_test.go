package gather

// Waiting is how many items wait for a run.
func (g *Group[T]) Waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue)
}

// Waiting is how many wait for a read of a key that has not begun.
func Waiting[K comparable, V any](r *Reads[K, V], key K) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of, ok := r.keys[key]; ok {
		return of.group.Waiting()
	}
	return 0
}

// Keys is how many keys somebody reads.
func Keys[K comparable, V any](r *Reads[K, V]) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}
