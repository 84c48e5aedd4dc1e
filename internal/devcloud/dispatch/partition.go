package dispatch

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// unorderedLimit is how many events of one partition are on their way at once with unordered delivery.
	unorderedLimit = 32

	// queueHigh is the number of waiting records at which a partition is full. Then nothing is polled for a while, and if it
	// is still full after roomTimeout, as when an ordered event is being retried, only this partition is no longer fetched
	// until queueLow records wait. One poll adds at most maxPoll records.
	//
	// A partition that is fetched again may have to wait for fetchMaxWait, since a fetch of the others is on its way. What is
	// still full after roomTimeout delivers fewer than queueHigh-queueLow records in that time, so that queueLow records
	// last as long as the wait.
	queueHigh = 256
	queueLow  = 128
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
	room      chan struct{} // told when the queue is no longer full
	slow      bool          // was full for roomTimeout, and not empty since
	paused    bool
	stopped   bool
}

func newPartition(id int32, ordered bool) *partition {
	limit := unorderedLimit
	if ordered {
		limit = 1
	}
	return &partition{id: id, limit: limit, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), stopping: make(chan struct{}), ended: make(chan struct{})}
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
		p.slow = false
		return nil, false
	}
	record = p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	if len(p.queue) == queueHigh-1 {
		select {
		case p.room <- struct{}{}:
		default:
		}
	}
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
	if p.slow {
		p.pauseIfFull()
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

// makeRoom waits until the queue is not full. When the context ends first, the partition is no longer fetched.
func (p *partition) makeRoom(ctx context.Context) {
	for p.full() {
		select {
		case <-p.room:
		case <-p.stopping:
			return
		case <-ctx.Done():
			p.mu.Lock()
			p.slow = true
			p.pauseIfFull()
			p.mu.Unlock()
			return
		}
	}
}

func (p *partition) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.stopped && !p.paused && len(p.queue) >= queueHigh
}

// pauseIfFull needs the lock.
func (p *partition) pauseIfFull() {
	if !p.stopped && !p.paused && len(p.queue) >= queueHigh {
		p.paused = true
		p.pause(true)
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
