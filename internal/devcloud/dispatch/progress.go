package dispatch

import (
	"cmp"
	"slices"
)

// Progress keeps the offsets of one partition that were handed out and not yet committed, in the order of the partition.
// Offsets may have gaps: compaction and transactions leave some. It is not safe for concurrent use.
type progress struct {
	open []step // the first one is never done
	next int64  // offset to commit: everything below is handled
}

type step struct {
	offset int64
	done   bool
}

// take notes that a record is on its way. Offsets come in ascending order.
func (p *progress) take(offset int64) {
	if len(p.open) == 0 {
		p.next = offset
	}
	p.open = append(p.open, step{offset: offset})
}

// finish notes that a record was handled, and tells whether the offset to commit moved.
func (p *progress) finish(offset int64) (moved bool) {
	i, ok := slices.BinarySearchFunc(p.open, offset, func(s step, o int64) int { return cmp.Compare(s.offset, o) })
	if !ok {
		return false
	}
	p.open[i].done = true
	n := 0
	for n < len(p.open) && p.open[n].done {
		p.next = p.open[n].offset + 1
		n++
	}
	p.open = p.open[n:]
	return n > 0
}
