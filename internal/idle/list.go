package idle

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"
)

// A List orders entries by their last use, in two classes: guests, which every entry is at first, and members. All
// methods may be called from any goroutine. The zero value is an empty list.
type List[T any] struct {
	mu      sync.Mutex
	guests  byUse[T]
	members byUse[T]
}

// An Entry is one thing in a List.
type Entry[T any] struct {
	Value T

	used   atomic.Int64 // nanoseconds of Unix time
	queued int64        // what used was when the entry took its place; never after it
	index  int          // in its class, -1 outside of the list
	member bool
	list   *List[T]
}

// Add puts a guest into the list, as used now.
func (l *List[T]) Add(value T) *Entry[T] {
	e := &Entry[T]{Value: value, list: l}
	e.Use()
	l.mu.Lock()
	defer l.mu.Unlock()
	heap.Push(&l.guests, e)
	return e
}

// Use says that the entry is in use now. It costs next to nothing.
func (e *Entry[T]) Use() { e.used.Store(time.Now().UnixNano()) }

// Used is when the entry was last used.
func (e *Entry[T]) Used() time.Time { return time.Unix(0, e.used.Load()) }

// Keep makes a guest a member.
func (e *Entry[T]) Keep() {
	l := e.list
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.index < 0 || e.member {
		return
	}
	heap.Remove(&l.guests, e.index)
	e.member = true
	heap.Push(&l.members, e)
}

// Remove takes an entry out of its list, and tells whether it was in it.
func (e *Entry[T]) Remove() bool {
	l := e.list
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.index < 0 {
		return false
	}
	heap.Remove(l.class(e), e.index)
	return true
}

// Pop takes the idlest guest out of the list or, if there is none, the idlest member.
func (l *List[T]) Pop() (value T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, class := range []*byUse[T]{&l.guests, &l.members} {
		if e := class.idlest(); e != nil {
			heap.Remove(class, e.index)
			return e.Value, true
		}
	}
	return value, false
}

// Expired takes out of the list all that was last used before a moment.
func (l *List[T]) Expired(before time.Time) (values []T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, class := range []*byUse[T]{&l.guests, &l.members} {
		for e := class.idlest(); e != nil && e.queued < before.UnixNano(); e = class.idlest() {
			heap.Remove(class, e.index)
			values = append(values, e.Value)
		}
	}
	return values
}

// Len is the number of entries.
func (l *List[T]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.guests) + len(l.members)
}

// All lists what is in the list, in no order.
func (l *List[T]) All() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]T, 0, len(l.guests)+len(l.members))
	for _, e := range l.guests {
		all = append(all, e.Value)
	}
	for _, e := range l.members {
		all = append(all, e.Value)
	}
	return all
}

func (l *List[T]) class(e *Entry[T]) *byUse[T] {
	if e.member {
		return &l.members
	}
	return &l.guests
}

// byUse is a heap with the entry on top that took its place with the oldest use. An entry moves only when it comes up, so
// that using it needs no lock.
type byUse[T any] []*Entry[T]

// idlest gives every entry that comes up and was used since a new place, until one comes up that was not.
func (b *byUse[T]) idlest() *Entry[T] {
	for len(*b) > 0 {
		e := (*b)[0]
		used := e.used.Load()
		if used <= e.queued {
			return e
		}
		e.queued = used
		heap.Fix(b, 0)
	}
	return nil
}

func (b byUse[T]) Len() int           { return len(b) }
func (b byUse[T]) Less(i, j int) bool { return b[i].queued < b[j].queued }

func (b byUse[T]) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].index, b[j].index = i, j
}

// Push is for package heap.
func (b *byUse[T]) Push(x any) {
	e := x.(*Entry[T]) //nolint:forcetypeassert // only List calls
	e.index, e.queued = len(*b), e.used.Load()
	*b = append(*b, e)
}

// Pop is for package heap.
func (b *byUse[T]) Pop() any {
	last := len(*b) - 1
	e := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	e.index = -1
	return e
}
