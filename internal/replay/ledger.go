package replay

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/stream"
)

// maxMetadata is how many bytes Kafka keeps beside a position, by default.
const maxMetadata = 4096

const noEnd = -1

// A position is how far the work on one partition came. It is not safe for concurrent use.
type position struct {
	next   int64         // every offset below it is done
	beyond []stream.Span // what is done beyond it, in order and apart from each other
	end    int64         // where the work is to end; noEnd if that is not fixed
	read   int64         // the offset behind the last record that was read
}

// finish notes that offsets are done.
func (p *position) finish(s stream.Span) {
	s.From = max(s.From, p.next)
	if s.From >= s.To {
		return
	}
	i := 0
	for i < len(p.beyond) && p.beyond[i].To < s.From {
		i++
	}
	j := i
	for j < len(p.beyond) && p.beyond[j].From <= s.To {
		s.From, s.To = min(s.From, p.beyond[j].From), max(s.To, p.beyond[j].To)
		j++
	}
	p.beyond = slices.Replace(p.beyond, i, j, s)
	if p.beyond[0].From <= p.next {
		p.next = p.beyond[0].To
		p.beyond = slices.Delete(p.beyond, 0, 1)
	}
}

// take notes that a record was read: the offsets between it and the one before, or the position at which reading began, hold none. It tells whether the record is done.
func (p *position) take(offset int64) (done bool) {
	p.finish(stream.Span{From: max(p.read, p.next), To: offset})
	p.read = offset + 1
	return p.has(offset)
}

func (p *position) has(offset int64) bool {
	return offset < p.next || slices.ContainsFunc(p.beyond, func(s stream.Span) bool { return s.From <= offset && offset < s.To })
}

// metadata is what is kept beside next. What finds no room there is done again some day.
func (p *position) metadata() string {
	var b strings.Builder
	if p.end != noEnd {
		fmt.Fprintf(&b, "end=%d", p.end)
	}
	for _, s := range p.beyond {
		text := fmt.Sprintf(" %d-%d", s.From, s.To)
		if b.Len()+len(text) > maxMetadata {
			break
		}
		b.WriteString(text)
	}
	return strings.TrimPrefix(b.String(), " ")
}

var errMetadata = errors.New("the position was not written by this program")

// readPosition is the reverse of metadata.
func readPosition(next int64, metadata string) (*position, error) {
	p := &position{next: next, end: noEnd}
	if next < 0 || len(metadata) > maxMetadata {
		return nil, errMetadata
	}
	for word := range strings.FieldsSeq(metadata) {
		if text, ok := strings.CutPrefix(word, "end="); ok {
			end, err := strconv.ParseInt(text, 10, 64)
			if err != nil || end < 0 {
				return nil, errMetadata
			}
			p.end = end
			continue
		}
		first, last, _ := strings.Cut(word, "-")
		from, err1 := strconv.ParseInt(first, 10, 64)
		to, err2 := strconv.ParseInt(last, 10, 64)
		if err1 != nil || err2 != nil || from < 0 || from >= to {
			return nil, errMetadata
		}
		p.finish(stream.Span{From: from, To: to})
	}
	return p, nil
}

// A ledger is how far a run came in all partitions. It is safe for concurrent use.
type ledger struct {
	mu sync.Mutex
	at map[int32]*position
}

// take notes that a record was read, and tells whether it is done.
func (l *ledger) take(partition int32, offset int64) (done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[partition].take(offset)
}

// finish notes that a record is done.
func (l *ledger) finish(partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[partition].finish(stream.Span{From: offset, To: offset + 1})
}

// left is how many offsets lie between what is read and the ends of some spans.
func (l *ledger) left(spans map[int32]stream.Span) (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range spans {
		n += max(0, s.To-max(s.From, l.at[id].read))
	}
	return n
}

// places are the offsets from which nothing is known to be done.
func (l *ledger) places() Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	place := Place{Offsets: map[int32]int64{}}
	for id, p := range l.at {
		place.Offsets[id] = p.next
	}
	return place
}
