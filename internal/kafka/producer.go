package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/fairlead/fairlead/internal/outcome"
)

// A Producer writes records with acks=all and idempotence: a nil error means that every in-sync replica has the record.
// Records with the same key are stored in the order of the calls.
type Producer struct {
	options []kgo.Opt
	session atomic.Pointer[session]
	overdue *overdue
	metrics *producerMetrics
	log     *zap.Logger // of topics that are not there; lines are bounded

	mu     sync.Mutex
	closed bool
}

// NewProducer makes a producer. It connects at the first record or the first Ready.
func NewProducer(c Config) (*Producer, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	p := &Producer{overdue: newOverdue(c.DeliveryTimeout), log: zap.NewNop()}
	p.options = append(options,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(c.Linger),
		kgo.MaxBufferedRecords(c.MaxRecords),
		kgo.MaxBufferedBytes(c.MaxBytes),
		kgo.RecordDeliveryTimeout(c.DeliveryTimeout),
		kgo.ProduceRequestTimeout(c.DeliveryTimeout),
		kgo.UnknownTopicRetries(1),
		kgo.MetadataMinAge(250*time.Millisecond),
	)
	s, err := p.begin()
	if err != nil {
		return nil, err
	}
	p.session.Store(s)
	p.metrics = newProducerMetrics(func() int64 { return p.client().BufferedProduceRecords() })
	return p, nil
}

func (p *Producer) client() *kgo.Client { return p.session.Load().client }

// begin makes a session. It does not connect.
func (p *Producer) begin() (*session, error) {
	s := &session{began: time.Now()}
	client, err := kgo.NewClient(append(slices.Clip(p.options), kgo.WithHooks(s))...)
	if err != nil {
		return nil, fmt.Errorf("making a kafka client: %w", err)
	}
	s.client = client
	return s, nil
}

// LogTo has the producer say which topics are not there. It is for before the first record.
func (p *Producer) LogTo(log *zap.Logger) {
	const first, thereafter = 5, 10_000 // of the same line in a minute
	p.log = log.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, first, thereafter)
	}))
}

// Write hands a record to Kafka and calls done exactly once: with nil after the acknowledgement, else with an error
// that carries an outcome. It does not block. A caller that goes away does not take its record with it, since the fate
// of one record must not decide that of its neighbours in a batch.
//
// An Unavailable answer that is given while Kafka does not respond leaves open whether the record is stored: it is, if
// the request had reached Kafka. Whoever sends again makes a second record.
func (p *Producer) Write(_ context.Context, record *kgo.Record, done func(error)) {
	w := &write{done: done, started: time.Now(), metrics: p.metrics}
	p.overdue.add(w)
	in := p.session.Load()
	in.client.TryProduce(context.Background(), record, func(record *kgo.Record, err error) {
		err = p.judge(in, record.Topic, err)
		if p.overdue.remove(w) {
			w.finish(classify(err))
		}
	})
}

var (
	errOverdue error = outcome.Wrap(outcome.Unavailable, "Kafka did not answer in time", errors.New("no acknowledgement within the delivery timeout"))
	errOver          = errors.New("a record before this one was given up, and this acknowledgement may be that one's")
)

// judge is called with what became of each record, in the order in which that was known. It gives the error that there is for the sender.
func (p *Producer) judge(in *session, topic string, err error) error {
	switch {
	case errors.Is(err, kgo.ErrMaxBuffered), errors.Is(err, kgo.ErrClientClosed): // it was never sent, or the session is over
		return err
	case err == nil && in.over.Load():
		return errOver
	case err == nil:
		return nil
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		p.log.Error("events cannot be stored: their topic does not exist in Kafka: "+topic, zap.String("topic", topic))
	}
	if in.endsWith(err) {
		p.replace(in)
	}
	return err
}

// replace ends a session, and has another take its place. What waits in it gets no acknowledgement.
func (p *Producer) replace(old *session) {
	if old.over.Swap(true) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	next, err := p.begin()
	if err != nil { // the options have been good before
		p.log.Error("events cannot be stored", zap.Error(err))
		return
	}
	p.session.Store(next)
	go old.client.Close() // which waits for what this is called by
}

// A write is one record on its way. Whoever takes it out of the list of those that may become overdue decides: the
// acknowledgement, or the end of its time.
type write struct {
	done    func(error)
	started time.Time
	metrics *producerMetrics

	before, after *write
	listed        bool
}

func (w *write) finish(err error) {
	w.metrics.observe(w.started, err)
	w.done(err)
}

// classify gives an error of the client its outcome.
func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kgo.ErrMaxBuffered):
		return outcome.Wrap(outcome.Overloaded, "too many messages wait for Kafka", err)
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return outcome.Wrap(outcome.TooLarge, "the message is larger than Kafka accepts", err)
	default:
		return outcome.Wrap(outcome.Unavailable, "the message could not be stored", err)
	}
}

// Ready tells whether a broker answers.
func (p *Producer) Ready(ctx context.Context) error {
	if err := p.client().Ping(ctx); err != nil {
		return fmt.Errorf("asking kafka for its metadata: %w", err)
	}
	return nil
}

// Close waits, as long as ctx allows, until every record has its answer, and disconnects. It does not wait for a Kafka that does not
// answer once all records are overdue.
func (p *Producer) Close(ctx context.Context) error {
	waiting, done := context.WithCancel(ctx)
	defer done()
	p.overdue.whenNone(done)
	err := p.client().Flush(waiting)
	if ctx.Err() == nil {
		err = nil
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.client().Close()
	if err != nil {
		return fmt.Errorf("waiting for kafka to take the last records: %w", err)
	}
	return nil
}
