package stream

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// tailRecords and tailBytes are what a tail keeps for readers that have not come so far. One that is further behind has lost
	// the oldest.
	tailRecords = 4096
	tailBytes   = 8 << 20
)

// A tail is the one fetch stream of a topic, which all readers share that begin at the end and have no group. It keeps what some
// reader has not read yet, within bounds, and never waits for one.
type tail struct {
	topic   string
	direct  *direct
	life    context.Context
	stop    context.CancelFunc
	ended   chan struct{}
	readers int // guarded by the cluster

	mu      sync.Mutex
	kept    []unread // ring; the one of number n is at n modulo its length
	first   int64    // number of the oldest that is kept
	next    int64    // number of the one that comes next
	bytes   int      // of those that are kept
	active  int      // readers that take part
	changed chan struct{}
}

// An unread is a record that some readers have not read.
type unread struct {
	record *kgo.Record
	left   int // how many
}

// join has a reader take part in the tail of its topic. Where there is none, it makes one that begins at ends, unless these are nil.
func (c *Cluster) join(r *Reader, topic string, ends Place) (made bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tails[topic]
	switch {
	case ok:
		t.enter(r)
	case ends == nil:
		return false, nil
	default:
		if t, err = c.newTail(topic, ends); err != nil {
			return false, err
		}
		c.tails[topic] = t
		t.enter(r)
		go t.run()
	}
	t.readers++
	r.tail = t
	return !ok, nil
}

// leave ends the tail with its last reader.
func (c *Cluster) leave(t *tail) {
	c.mu.Lock()
	t.readers--
	last := t.readers == 0
	if last {
		delete(c.tails, t.topic)
	}
	c.mu.Unlock()
	if last {
		t.stop()
		<-t.ended
	}
}

func (c *Cluster) newTail(topic string, ends Place) (*tail, error) {
	direct, err := c.newDirect(topic, ends, tailFetchBytes)
	if err != nil {
		return nil, err
	}
	t := &tail{topic: topic, direct: direct, ended: make(chan struct{}), kept: make([]unread, tailRecords), changed: make(chan struct{})}
	t.life, t.stop = context.WithCancel(context.Background())
	return t, nil
}

func (t *tail) run() {
	defer close(t.ended)
	defer t.direct.client.Close()
	for t.life.Err() == nil {
		records, _ := t.direct.poll(t.life, maxRead) // the error is the end of life
		t.push(records)
	}
}

// push keeps records for the readers, and wakes those that wait.
func (t *tail) push(records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, record := range records {
		if t.active == 0 {
			continue
		}
		for t.next-t.first >= tailRecords || t.bytes+size(record) > tailBytes && t.next > t.first {
			t.drop()
		}
		*t.at(t.next) = unread{record, t.active}
		t.next++
		t.bytes += size(record)
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tail) at(number int64) *unread { return &t.kept[number%tailRecords] }

// drop forgets the oldest. t.mu is held.
func (t *tail) drop() {
	oldest := t.at(t.first)
	t.bytes -= size(oldest.record)
	*oldest = unread{}
	t.first++
}

// enter has a reader take part from now on.
func (t *tail) enter(r *Reader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active++
	r.at = t.next
}

// exit ends that.
func (t *tail) exit(r *Reader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.active--
	for n := max(r.at, t.first); n < t.next; n++ {
		t.at(n).left--
	}
	r.at = t.next
	r.gone = true
	t.tidy()
}

// tidy forgets what every reader has read. t.mu is held.
func (t *tail) tidy() {
	for t.first < t.next && t.at(t.first).left <= 0 {
		t.drop()
	}
}

// take appends what a reader has not read yet. It tells how many records were lost before that, and, where there is nothing, what is
// closed when something comes.
func (t *tail) take(r *Reader, into []*kgo.Record) (records []*kgo.Record, lost int64, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.gone {
		return nil, 0, t.changed
	}
	if r.at < t.first {
		lost, r.at = t.first-r.at, t.first
	}
	for r.at < t.next && len(into) < cap(into) {
		one := t.at(r.at)
		into = append(into, one.record)
		one.left--
		r.at++
	}
	t.tidy()
	return into, lost, t.changed
}
