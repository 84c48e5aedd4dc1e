package integration

import (
	"context"
	"sync"

	"github.com/fairlead/fairlead/internal/feed"
)

// A queue holds what waits to be written to one consumer over HTTP, in bounds. It is safe for concurrent use; one goroutine takes out.
type queue struct {
	most int // bytes

	mu      sync.Mutex
	waiting [][]byte
	spare   [][]byte // buffers that were written
	settle  []feed.Settlement
	bytes   int
	room    chan struct{} // closed when there is room again; nil while nobody waits
	filled  chan struct{} // holds one when something waits
	ended   bool
}

func newQueue(most int) *queue { return &queue{most: most, filled: make(chan struct{}, 1)} }

// put writes an event into the queue, when there is room for it. It tells whether the queue took it.
func (q *queue) put(ctx context.Context, write func([]byte) []byte, s feed.Settlement) bool {
	for {
		q.mu.Lock()
		if q.ended {
			q.mu.Unlock()
			return false
		}
		if q.bytes < q.most {
			break
		}
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
	defer q.mu.Unlock()
	q.add(write, s)
	return true
}

// tell adds what is no event, whatever waits: an answer to a message of the client, of which there are not many at once.
func (q *queue) tell(message []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.add(func(b []byte) []byte { return append(b, message...) }, unsettled{})
}

// add needs the lock.
func (q *queue) add(write func([]byte) []byte, s feed.Settlement) {
	var b []byte
	if n := len(q.spare); n > 0 {
		b, q.spare = q.spare[n-1][:0], q.spare[:n-1]
	}
	b = write(b)
	q.waiting, q.settle = append(q.waiting, b), append(q.settle, s)
	q.bytes += len(b)
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// take takes everything out, into slices that it may use again.
func (q *queue) take(messages [][]byte, settle []feed.Settlement) ([][]byte, []feed.Settlement) {
	q.mu.Lock()
	defer q.mu.Unlock()
	messages, q.waiting = q.waiting, messages[:0]
	settle, q.settle = q.settle, settle[:0]
	q.bytes = 0
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	return messages, settle
}

// maxSpare bounds the buffers that a queue keeps, in number and in bytes of each.
const (
	maxSpare      = 64
	maxSpareBytes = 4 << 10
)

// recycle takes buffers back that were written.
func (q *queue) recycle(messages [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range messages {
		if len(q.spare) < maxSpare && cap(b) <= maxSpareBytes {
			q.spare = append(q.spare, b)
		}
	}
	clear(messages)
}

// end gives up what waits.
func (q *queue) end() {
	q.mu.Lock()
	q.ended = true
	left := q.settle
	q.waiting, q.settle, q.spare = nil, nil, nil
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	q.mu.Unlock()
	for _, s := range left {
		s.Abandon()
	}
}

// unsettled is the settlement of what is no event.
type unsettled struct{}

func (unsettled) Done()    {}
func (unsettled) Abandon() {}
