package stream

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// highRecords and highBytes are how many records, and bytes of them, wait when a partition is full. Then nothing is polled for
	// a while, and if it is still full after roomTimeout, only this partition is no longer fetched until no more than lowRecords
	// and lowBytes wait. One poll adds at most maxPoll records.
	//
	// A partition that is fetched again may have to wait for fetchMaxWait, since a fetch of the others is on its way. What is
	// still full after roomTimeout hands out less than the difference of high and low in that time, so that what waits lasts as
	// long as the wait.
	highRecords, lowRecords = 256, 128
	highBytes, lowBytes     = 8 << 20, 4 << 20
	maxPoll                 = 256

	// maxAhead is how many records of a partition are handed out while the first of them is not settled. It bounds what is
	// delivered again after a process was killed, and what is remembered of records that are done.
	maxAhead = 10_000

	// noteInterval is how long an offset to commit waits until it is marked. To mark one for each record would cost more than all
	// else.
	noteInterval = 50 * time.Millisecond
)

// A partition hands out the records of one partition as long as the consumer is assigned to it. Where they come from, and who is
// told what is done, it does not know.
type partition struct {
	handle   Handler
	metrics  *metrics
	mark     func(kgo.EpochOffset) // marks an offset to be committed
	pause    func(paused bool)     // stops and resumes fetching
	givesUp  bool                  // abandons what is on its way when its time is over
	slots    chan struct{}         // holds one for each delivery on its way
	stopping chan struct{}
	ended    chan struct{} // closed after the last delivery is settled
	cancel   context.CancelFunc
	onTheWay sync.WaitGroup

	mu        sync.Mutex
	queue     []*Delivery
	bytes     int // of the queue
	wake      chan struct{}
	positions positions
	noting    bool // note will be called
	moved     bool // the offset to commit moved and is not noted yet
	done      int  // deliveries that were done and are not counted yet
	highWater int64
	room      chan struct{} // told when the queue is no longer full
	slow      bool          // was full for roomTimeout, and not empty since
	paused    bool
	finished  bool // nothing more is pushed
	stopped   bool
}

func newPartition(limit int, handle Handler, metrics *metrics) *partition {
	return &partition{
		handle: handle, metrics: metrics, slots: make(chan struct{}, limit), wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		stopping: make(chan struct{}), ended: make(chan struct{}),
	}
}

// start begins to hand out. Deliveries end with the context.
func (p *partition) start(ctx context.Context) {
	ctx, p.cancel = context.WithCancel(ctx)
	go p.run(ctx)
}

func (p *partition) run(ctx context.Context) {
	defer close(p.ended)
	defer p.onTheWay.Wait()
	for {
		select {
		case p.slots <- struct{}{}:
		case <-p.stopping:
			return
		}
		delivery := p.next()
		if delivery == nil {
			return
		}
		p.onTheWay.Add(1)
		p.handle(ctx, delivery)
	}
}

// finish says that nothing more is pushed: the partition ends after what it has.
func (p *partition) finish() {
	p.mu.Lock()
	p.finished = true
	p.mu.Unlock()
	tell(p.wake)
}

// next waits for a record; nil means stop.
func (p *partition) next() *Delivery {
	for {
		delivery, ok := p.pop()
		if ok {
			return delivery
		}
		select {
		case <-p.wake:
		case <-p.stopping:
			return nil
		}
	}
}

func (p *partition) pop() (delivery *Delivery, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, true
	}
	if len(p.queue) == 0 {
		p.slow = false
		return nil, p.finished
	}
	if len(p.positions.open)-len(p.queue) >= maxAhead {
		return nil, false
	}
	wasFull := p.isFull()
	delivery = p.queue[0]
	delivery.handed = true
	p.queue[0] = nil
	p.queue = p.queue[1:]
	p.bytes -= size(delivery.Record)
	if wasFull && !p.isFull() {
		tell(p.room)
	}
	if p.paused && len(p.queue) <= lowRecords && p.bytes <= lowBytes {
		p.paused = false
		p.pause(false)
	}
	return delivery, true
}

// tell wakes who waits, or the next one who does.
func tell(waiting chan struct{}) {
	select {
	case waiting <- struct{}{}:
	default:
	}
}

// size is about how much memory a record's content takes.
func size(record *kgo.Record) int {
	n := len(record.Key) + len(record.Value)
	for _, h := range record.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
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
		taken := p.positions.take(record.Offset, record.LeaderEpoch)
		taken.delivery = &Delivery{Record: record, partition: p, position: taken}
		p.queue = append(p.queue, taken.delivery)
		p.bytes += size(record)
	}
	if p.slow {
		p.pauseIfFull()
	}
	tell(p.wake)
}

// settle ends a delivery.
func (p *partition) settle(d *Delivery, done bool) {
	if p.settled(d, done) {
		<-p.slots
		p.onTheWay.Done()
	}
}

// settled tells whether this is the first time that a delivery is settled.
func (p *partition) settled(d *Delivery, done bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case d.settled:
		return false
	case done:
		p.done++
		p.noteSoon()
		if p.positions.finish(d.position) {
			p.moved = true
			tell(p.wake)
		}
	default:
		p.metrics.settledAs(p.metrics.abandoned, 1)
	}
	d.settled = true
	d.position.delivery = nil
	return true
}

// noteSoon needs the lock.
func (p *partition) noteSoon() {
	if !p.noting {
		p.noting = true
		time.AfterFunc(noteInterval, p.note)
	}
}

// note counts what was done, and has the offset to commit marked if it moved.
func (p *partition) note() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.noting = false
	if p.done > 0 {
		p.metrics.settledAs(p.metrics.done, p.done)
		p.done = 0
	}
	if p.moved {
		p.moved = false
		p.mark(kgo.EpochOffset{Offset: p.positions.next, Epoch: p.positions.epoch})
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

// full tells whether records wait beyond the bound and more are fetched.
func (p *partition) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.stopped && !p.paused && p.isFull()
}

// isFull needs the lock.
func (p *partition) isFull() bool { return len(p.queue) >= highRecords || p.bytes >= highBytes }

// pauseIfFull needs the lock.
func (p *partition) pauseIfFull() {
	if !p.stopped && !p.paused && p.isFull() {
		p.paused = true
		p.pause(true)
	}
}

// stop ends the partition: no record is handed out any more, and deliveries on their way may end until the context does. After it
// nothing is marked any more.
func (p *partition) stop(ctx context.Context) {
	p.mu.Lock()
	if !p.stopped {
		p.stopped = true
		close(p.stopping)
	}
	p.queue, p.bytes = nil, 0
	p.mu.Unlock()
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.cancel()
		p.giveUp()
		<-p.ended
	}
	p.cancel()
	p.note()
}

// giveUp abandons what is on its way, if that is wanted.
func (p *partition) giveUp() {
	if !p.givesUp {
		return
	}
	p.mu.Lock()
	var onTheWay []*Delivery
	for _, open := range p.positions.open {
		if open.delivery != nil && open.delivery.handed {
			onTheWay = append(onTheWay, open.delivery)
		}
	}
	p.mu.Unlock()
	for _, d := range onTheWay {
		d.Abandon()
	}
}

// lag is how many records lie between the offset to commit and the end of the partition.
func (p *partition) lag() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.highWater == 0 {
		return 0
	}
	return max(0, p.highWater-p.positions.next)
}
