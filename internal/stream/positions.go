package stream

// A position is the place of one record in its partition.
type position struct {
	offset int64
	epoch  int32 // of the leader that wrote the record
	done   bool

	delivery *Delivery // of the record, until it is settled
}

// Positions are those of one partition that were read and are not yet committed, in the order of the partition. Offsets may have
// gaps: compaction and transactions leave some. They are not safe for concurrent use.
type positions struct {
	open  []*position // the first one is never done
	next  int64       // offset to commit: every record below it is done
	epoch int32       // of the record before next
}

// take notes that a record was read. An offset that is not above the one before means that the topic was made anew: what was read
// of the old one does not count any more.
func (p *positions) take(offset int64, epoch int32) *position {
	if n := len(p.open); n > 0 && offset <= p.open[n-1].offset {
		p.open = nil
	}
	if len(p.open) == 0 {
		p.next = offset
	}
	taken := &position{offset: offset, epoch: epoch}
	p.open = append(p.open, taken)
	return taken
}

// finish notes that a record is done, and tells whether the offset to commit moved.
func (p *positions) finish(taken *position) (moved bool) {
	taken.done = true
	n := 0
	for n < len(p.open) && p.open[n].done {
		p.next, p.epoch = p.open[n].offset+1, p.open[n].epoch
		n++
	}
	clear(p.open[:n])
	p.open = p.open[n:]
	return n > 0
}
