package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	client  *kgo.Client
	overdue *overdue
	metrics *producerMetrics
	log     *zap.Logger // of topics that are not there; lines are bounded

	mu      sync.Mutex
	purging map[string]bool // topics of which the client forgets what it knows
}

// NewProducer makes a producer. It connects at the first record or the first Ready.
func NewProducer(c Config) (*Producer, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(options,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(c.Linger),
		kgo.MaxBufferedRecords(c.MaxRecords),
		kgo.MaxBufferedBytes(c.MaxBytes),
		kgo.RecordDeliveryTimeout(c.DeliveryTimeout),
		kgo.ProduceRequestTimeout(c.DeliveryTimeout),
		kgo.UnknownTopicRetries(1),
		kgo.MetadataMinAge(250*time.Millisecond),
	)...)
	if err != nil {
		return nil, fmt.Errorf("making a kafka client: %w", err)
	}
	return &Producer{
		client: client, overdue: newOverdue(c.DeliveryTimeout), metrics: newProducerMetrics(client),
		log: zap.NewNop(), purging: map[string]bool{},
	}, nil
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
func (p *Producer) Write(ctx context.Context, record *kgo.Record, done func(error)) {
	w := &write{done: done, started: time.Now(), metrics: p.metrics}
	p.overdue.add(w)
	p.client.TryProduce(context.WithoutCancel(ctx), record, func(record *kgo.Record, err error) {
		p.missing(record.Topic, err)
		if p.overdue.remove(w) {
			w.finish(classify(err))
		}
	})
}

var errOverdue error = outcome.Wrap(outcome.Unavailable, "Kafka did not answer in time", errors.New("no acknowledgement within the delivery timeout"))

// missing says that a topic is not there. One that was deleted and made again has another id, which the client finds out only
// when it forgets the topic.
func (p *Producer) missing(topic string, err error) {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		p.log.Error("events cannot be stored: their topic does not exist in Kafka: "+topic, zap.String("topic", topic))
	case errors.Is(err, kerr.UnknownTopicID):
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.purging[topic] {
			return
		}
		p.purging[topic] = true
		go p.purge(topic) // which waits for what this is called by
	}
}

func (p *Producer) purge(topic string) {
	p.client.PurgeTopicsFromProducing(topic)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.purging, topic)
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
	if err := p.client.Ping(ctx); err != nil {
		return fmt.Errorf("asking kafka for its metadata: %w", err)
	}
	return nil
}

// Close waits, as long as ctx allows, until every record has its answer, and disconnects.
func (p *Producer) Close(ctx context.Context) error {
	err := p.client.Flush(ctx)
	p.client.Close()
	if err != nil {
		return fmt.Errorf("waiting for kafka to take the last records: %w", err)
	}
	return nil
}
