package fairshare

import "container/heap"

// A member of a heap has a number of places, and knows where in the heap it is.
type member struct{ places, index int }

func (m *member) self() *member { return m }

// byPlaces is a heap: the first member has the most places.
type byPlaces []interface{ self() *member }

var _ heap.Interface = (*byPlaces)(nil)

// Len is part of heap.Interface.
func (h byPlaces) Len() int { return len(h) }

// Less is part of heap.Interface.
func (h byPlaces) Less(i, j int) bool { return h[i].self().places > h[j].self().places }

// Swap is part of heap.Interface.
func (h byPlaces) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].self().index, h[j].self().index = i, j
}

// Push is part of heap.Interface.
func (h *byPlaces) Push(x any) {
	m := x.(interface{ self() *member }) //nolint:forcetypeassert // it holds nothing else
	m.self().index = len(*h)
	*h = append(*h, m)
}

// Pop is part of heap.Interface.
func (h *byPlaces) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
