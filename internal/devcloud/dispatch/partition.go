package dispatch

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// unorderedLimit is how many events of one partition are on their way at once with unordered delivery.
	unorderedLimit = 32

	// queueHigh is the number of waiting records at which a partition is no longer fetched, queueLow the number at which
	// it is fetched again. One fetch adds at most maxPoll records to queueHigh.
	queueHigh = 256
	queueLow  = 64
	maxPoll   = 256
)

// A partition delivers the records of one partition as long as its consumer is assigned to it.
type partition struct {
	id       int32
	handle   func(context.Context, *kgo.Record) error // errInterrupted leaves the record to the next owner
	mark     func(*kgo.Record, int64)                 // notes an offset to commit
	pause    func(paused bool)                        // stops and resumes fetching
	limit    int
	stopping chan struct{}
	ended    chan struct{} // closed after the last delivery
	cancel   context.CancelFunc

	mu        sync.Mutex
	queue     []*kgo.Record
	wake      chan struct{}
	progress  progress
	highWater int64
	paused    bool
	stopped   bool
}

func newPartition(id int32, ordered bool) *partition {
	limit := unorderedLimit
	if ordered {
		limit = 1
	}
	return &partition{id: id, limit: limit, wake: make(chan struct{}, 1), stopping: make(chan struct{}), ended: make(chan struct{})}
}

// start begins delivery. Requests on their way end with the context.
func (p *partition) start(ctx context.Context) {
	ctx, p.cancel = context.WithCancel(ctx)
	go p.run(ctx)
}

func (p *partition) run(ctx context.Context) {
	defer close(p.ended)
	slots := make(chan struct{}, p.limit)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-p.stopping:
			return
		}
		record := p.next()
		if record == nil {
			return
		}
		running.Go(func() {
			defer func() { <-slots }()
			if p.handle(ctx, record) == nil {
				p.finish(record)
			}
		})
	}
}

// next waits for a record; nil means stop.
func (p *partition) next() *kgo.Record {
	for {
		record, ok := p.pop()
		if ok {
			return record
		}
		select {
		case <-p.wake:
		case <-p.stopping:
			return nil
		}
	}
}

func (p *partition) pop() (record *kgo.Record, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, true
	}
	if len(p.queue) == 0 {
		return nil, false
	}
	record = p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	if p.paused && len(p.queue) <= queueLow {
		p.paused = false
		p.pause(false)
	}
	return record, true
}

// push adds fetched records. Records for a stopped partition are dropped: their offsets are not committed.
func (p *partition) push(records []*kgo.Record, highWater int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.highWater = highWater
	for _, record := range records {
		p.progress.take(record.Offset)
	}
	p.queue = append(p.queue, records...)
	if !p.paused && len(p.queue) >= queueHigh {
		p.paused = true
		p.pause(true)
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *partition) finish(record *kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.progress.finish(record.Offset) {
		p.mark(record, p.progress.next)
	}
}

// stop ends delivery: no new record is begun and no retry is waited for; requests on their way may end until the
// context does. After it nothing is marked any more.
func (p *partition) stop(ctx context.Context) {
	p.mu.Lock()
	if !p.stopped {
		p.stopped = true
		close(p.stopping)
	}
	p.queue = nil
	p.mu.Unlock()
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.cancel()
		<-p.ended
	}
	p.cancel()
}

// lag is how many records lie between the offset to commit and the end of the partition.
func (p *partition) lag() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.highWater == 0 {
		return 0
	}
	return max(0, p.highWater-p.progress.next)
}
