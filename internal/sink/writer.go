package sink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A Writer hands events to the sink: a nil error means that the sink has taken the event.
type Writer struct {
	config  Config
	sender  *sender
	metrics *metrics
	log     *zap.Logger // of answers that are not 2xx; lines are bounded

	alive context.Context // ends when Close waits no longer
	abort context.CancelFunc

	mu             sync.Mutex
	lanes          map[string]*lane // by key of the record; those with records that wait
	records, bytes int              // that wait
	closed         bool
	running        sync.WaitGroup // lanes
}

// A lane has the records of one key that wait, the oldest first.
type lane struct{ waiting []*write }

// A write is one record on its way.
type write struct {
	record  *kgo.Record
	size    int
	started time.Time
	done    func(error)
}

// New makes a writer of a valid configuration. It connects at the first event or the first Ready.
func New(c Config) (*Writer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s, err := newSender(c)
	if err != nil {
		return nil, err
	}
	w := &Writer{config: c, sender: s, log: zap.NewNop(), lanes: map[string]*lane{}}
	w.alive, w.abort = context.WithCancel(context.Background())
	w.metrics = newMetrics(w.waiting)
	return w, nil
}

// LogTo has the writer say what the sink answers in place of 2xx. It is for before the first event.
func (w *Writer) LogTo(log *zap.Logger) { w.log = refusal.Sampled(log).Named("sink") }

// Write hands a record to the sink and calls done exactly once: with nil after the sink's 2xx, else with an error that carries an
// outcome. It does not block. A caller that goes away does not take its record with it.
//
// An Unavailable answer that is given while the sink does not respond leaves open whether the sink has the event.
func (w *Writer) Write(_ context.Context, record *kgo.Record, done func(error)) {
	one := &write{record: record, size: sizeOf(record), started: time.Now(), done: done}
	if err := w.enter(one); err != nil {
		w.metrics.observe(one.started, err)
		done(err)
	}
}

// sizeOf is what a record costs in memory, roughly.
func sizeOf(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

var (
	errFull   = outcome.Wrap(outcome.Overloaded, "too many messages wait for the sink", errors.New("a bound of the sink's writer is reached"))
	errClosed = outcome.Wrap(outcome.Unavailable, "the process ends", errors.New("the sink's writer is closed"))
)

// enter puts a write into the lane of its key, behind those that are there.
func (w *Writer) enter(one *write) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return errClosed
	case w.records >= w.config.MaxRecords || w.bytes+one.size > w.config.MaxBytes:
		return errFull
	}
	w.records++
	w.bytes += one.size
	key := string(one.record.Key)
	if l, ok := w.lanes[key]; ok {
		l.waiting = append(l.waiting, one)
		return nil
	}
	l := &lane{waiting: []*write{one}}
	w.lanes[key] = l
	w.running.Go(func() { w.run(key, l) })
	return nil
}

// run sends the records of a lane until none waits.
func (w *Writer) run(key string, l *lane) {
	for one := w.next(key, l, nil); one != nil; one = w.next(key, l, one) {
		err := w.send(one)
		w.metrics.observe(one.started, err)
		one.done(err)
	}
}

// next takes a write that is done with out of its lane, and gives the one behind it. The lane of nil is over.
func (w *Writer) next(key string, l *lane, before *write) *write {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before != nil {
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		w.records--
		w.bytes -= before.size
	}
	if len(l.waiting) == 0 {
		delete(w.lanes, key)
		return nil
	}
	return l.waiting[0]
}

func (w *Writer) waiting() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(w.records)
}

// Ready tells whether something listens where the sink is.
func (w *Writer) Ready(ctx context.Context) error {
	u, err := url.Parse(w.config.URL)
	if err != nil {
		return errors.New("the sink's URL does not parse")
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme // which names its port
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("connecting to the sink: %w", err)
	}
	return conn.Close()
}

// Close takes nothing more and waits, as long as ctx allows, until every record has its answer.
func (w *Writer) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		w.running.Wait()
		close(ended)
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		err = fmt.Errorf("waiting for the sink to take the last events: %w", ctx.Err())
	}
	w.abort()
	<-ended
	w.sender.close()
	return err
}
