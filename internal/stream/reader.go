package stream

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	maxRead        = 64      // records of one Read
	directBytes    = 1 << 20 // of one fetch of a reader that has a fetch stream of its own
	tailFetchBytes = 4 << 20 // of one fetch of a tail
)

// A Place is where somebody is in a topic: the offset of the record that comes next, by partition.
type Place map[int32]int64

// A Reader reads a topic without a group: nothing is committed, and who comes again begins anew. Its methods are for one goroutine,
// but for Close.
type Reader struct {
	cluster *Cluster
	place   Place // behind what was read
	lost    int64
	buffer  [maxRead]*kgo.Record

	tail *tail // nil for one with a fetch stream of its own
	at   int64 // number in the tail of what is read next; the tail guards it
	gone bool  // from the tail, which guards it
	skip Place // records below it are older than the reader

	direct *direct // nil for one that shares a tail
	once   sync.Once
	closed chan struct{}
}

// ErrClosed is the error of a Reader that was closed.
var ErrClosed = errors.New("the reader is closed")

// Follow reads what comes from now on. All who follow a topic in one process share one fetch stream of Kafka. Who is slower than that
// loses the oldest; Lost counts it.
func (c *Cluster) Follow(ctx context.Context, topic string) (*Reader, error) {
	r := &Reader{cluster: c, closed: make(chan struct{})}
	_, err := c.join(r, topic, nil)
	if err != nil {
		return nil, err
	}
	if r.tail == nil {
		ends, err := c.begin(ctx, topic, From{})
		if err != nil {
			return nil, err
		}
		made, err := c.join(r, topic, ends)
		if err != nil {
			return nil, err
		}
		if made {
			r.begin(ends)
			return r, nil
		}
	}
	// What the tail has not come to yet may be older than the reader.
	ends, err := c.begin(ctx, topic, From{})
	if err != nil {
		r.Close()
		return nil, err
	}
	r.begin(ends)
	return r, nil
}

func (r *Reader) begin(at Place) { r.place, r.skip = at, maps.Clone(at) }

// Read reads from somewhere on, with a fetch stream of its own. It loses nothing that Kafka still has: who is slow reads later.
func (c *Cluster) Read(ctx context.Context, topic string, from From) (*Reader, error) {
	begins, err := c.begin(ctx, topic, from)
	if err != nil {
		return nil, err
	}
	return c.read(topic, begins)
}

// ReadAt is Read from a place on. Partitions that it does not name are read from their end.
func (c *Cluster) ReadAt(ctx context.Context, topic string, at Place) (*Reader, error) {
	begins, err := c.begin(ctx, topic, From{})
	if err != nil {
		return nil, err
	}
	for partition := range begins {
		if offset, ok := at[partition]; ok {
			begins[partition] = offset
		}
	}
	return c.read(topic, begins)
}

func (c *Cluster) read(topic string, begins Place) (*Reader, error) {
	direct, err := c.newDirect(topic, begins, directBytes)
	if err != nil {
		return nil, err
	}
	return &Reader{cluster: c, place: begins, direct: direct, closed: make(chan struct{})}, nil
}

// begin is a From as a place.
func (c *Cluster) begin(ctx context.Context, topic string, from From) (Place, error) {
	offsets, err := c.place(ctx, topic, from)
	if err != nil {
		return nil, err
	}
	at := Place{}
	for partition, listed := range offsets[topic] {
		at[partition] = listed.Offset
	}
	return at, nil
}

// Next waits for records, at least one and at most 64. They are valid until it is called again.
func (r *Reader) Next(ctx context.Context) ([]*kgo.Record, error) {
	for {
		records, err := r.next(ctx)
		if err != nil {
			return nil, err
		}
		for _, record := range records {
			r.place[record.Partition] = record.Offset + 1
		}
		if len(records) > 0 {
			return records, nil
		}
	}
}

func (r *Reader) next(ctx context.Context) ([]*kgo.Record, error) {
	if r.tail == nil {
		records, err := r.direct.poll(ctx, maxRead)
		select {
		case <-r.closed:
			return nil, ErrClosed
		default:
			return records, err
		}
	}
	records, lost, changed := r.tail.take(r, r.buffer[:0])
	r.lost += lost
	if lost > 0 {
		r.cluster.metrics.lost(int(lost))
	}
	if len(records) > 0 {
		return r.since(records), nil
	}
	select {
	case <-changed:
		return nil, nil
	case <-r.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// since leaves out what is older than the reader.
func (r *Reader) since(records []*kgo.Record) []*kgo.Record {
	n := 0
	for _, record := range records {
		if record.Offset >= r.skip[record.Partition] {
			records[n] = record
			n++
		}
	}
	return records[:n]
}

// Place is behind what Next has returned.
func (r *Reader) Place() Place { return r.place }

// Lost is how many records the reader was too slow for.
func (r *Reader) Lost() int64 { return r.lost }

// Close ends the reader; a Next that waits returns ErrClosed. Closing again does nothing.
func (r *Reader) Close() {
	r.once.Do(func() {
		close(r.closed)
		if r.tail == nil {
			r.direct.client.Close()
			return
		}
		r.tail.exit(r)
		r.cluster.leave(r.tail)
	})
}
