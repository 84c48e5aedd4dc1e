package gather

import (
	"context"
	"math"
	"sync"
)

// Reads have those share a read who ask for the same at the same time. Unlike with a single flight, everybody gets what was
// read after he asked. Reads are safe for concurrent use.
type Reads[K comparable, V any] struct {
	read func(context.Context, K) (V, error)
	mu   sync.Mutex
	keys map[K]*readers[V]
}

// The readers of one key.
type readers[V any] struct {
	group *Group[*reading[V]]
	count int
}

// A reading is what one of them gets.
type reading[V any] struct {
	value V
	err   error
}

// NewReads makes reads by a function. What it returns is shared, and must not be changed by those who get it.
func NewReads[K comparable, V any](read func(context.Context, K) (V, error)) *Reads[K, V] {
	return &Reads[K, V]{read: read, keys: map[K]*readers[V]{}}
}

// Get reads what belongs to a key. The error is that of the read, or of the context if that has ended.
func (r *Reads[K, V]) Get(ctx context.Context, key K) (V, error) {
	group := r.join(key)
	defer r.leave(key)
	var got reading[V]
	err := group.Do(ctx, &got)
	if err == nil {
		err = got.err
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return got.value, err
}

func (r *Reads[K, V]) join(key K) *Group[*reading[V]] {
	r.mu.Lock()
	defer r.mu.Unlock()
	of, ok := r.keys[key]
	if !ok {
		of = &readers[V]{group: New(Limits{Together: math.MaxInt, AtOnce: 1}, nil, func(ctx context.Context, all []*reading[V]) {
			value, err := r.read(ctx, key)
			for _, one := range all {
				one.value, one.err = value, err
			}
		})}
		r.keys[key] = of
	}
	of.count++
	return of.group
}

func (r *Reads[K, V]) leave(key K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of := r.keys[key]; of.count > 1 {
		of.count--
	} else {
		delete(r.keys, key)
	}
}
