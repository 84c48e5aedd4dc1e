package feed

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/stream"
)

// A Subscription is events on their way to a consumer.
type Subscription struct {
	feed  *Feed
	query Query
	take  Take
	stop  context.CancelFunc
	ended chan struct{}
	once  sync.Once
	begin stream.Place // where who has no group began
}

// errAway is for a topic that is not there yet, too: why is nobody's business who has not asked Kafka.
func errAway(err error) error {
	return outcome.Wrap(outcome.Unavailable, "the events cannot be read now; try again later", err)
}

// Open begins a subscription: events from now on reach it, or those from where the query says. The errors carry outcome.Unavailable or
// outcome.Overloaded. Who is let in is for a Session to say, before.
func (f *Feed) Open(ctx context.Context, q Query, take Take) (*Subscription, error) {
	if err := f.enter(&q); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.config.OpenTimeout)
	defer cancel()
	s := &Subscription{feed: f, query: q, take: take, ended: make(chan struct{})}
	open := s.read
	if q.Group != "" {
		open = s.join
	}
	if err := open(ctx); err != nil {
		f.exit(&q)
		f.log.Warn("events cannot be consumed", zap.String("topic", q.topic()), zap.Error(err))
		return nil, errAway(err)
	}
	return s, nil
}

// Begin is where a subscription without a group began; nil for one with a group.
func (s *Subscription) Begin() stream.Place { return maps.Clone(s.begin) }

// Close ends the subscription. It waits until everything on its way is settled, and what was done is committed.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.stop()
		<-s.ended
		s.feed.exit(&s.query)
	})
}

// join becomes a member of the group.
func (s *Subscription) join(ctx context.Context) error {
	consumer := s.feed.cluster.NewConsumer(stream.Options{
		Topic: s.query.topic(), Group: groupID(&s.query), From: s.query.From, Limit: s.query.Limit,
		GiveUp: true, Handler: s.handle,
	})
	consuming, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.ended)
		consumer.Run(consuming, context.Background())
	}()
	select {
	case <-consumer.Settled():
	case <-ctx.Done():
		stop()
		return ctx.Err()
	}
	if status := consumer.Status(); status.State == stream.Waiting {
		stop()
		return errors.New(status.Reason)
	}
	return nil
}

// handle hands a record of a group to the consumer.
func (s *Subscription) handle(ctx context.Context, d *stream.Delivery) {
	s.hand(ctx, d.Record, d)
	d.Record = nil // it may take long until it is settled
}

// hand hands the event of a record on, if it is one and it is wanted.
func (s *Subscription) hand(ctx context.Context, record *kgo.Record, settlement Settlement) {
	e := s.feed.events.Get().(*Event)
	defer s.feed.events.Put(e)
	if err := e.Decode(record); err != nil {
		s.feed.metrics.skipped()
		s.feed.log.Warn("a record is no event and is skipped", zap.String("topic", record.Topic), zap.Int32("partition", record.Partition),
			zap.Int64("offset", record.Offset), zap.Error(err))
		settlement.Done()
		return
	}
	if !s.query.Filter.Matches(e) {
		settlement.Done()
		return
	}
	s.take(ctx, e, settlement)
}

// read reads without a group.
func (s *Subscription) read(ctx context.Context) error {
	reader, err := s.reader(ctx)
	if err != nil {
		return err
	}
	s.begin = maps.Clone(reader.Place())
	reading, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.ended)
		defer reader.Close()
		s.run(reading, reader)
	}()
	return nil
}

func (s *Subscription) reader(ctx context.Context) (*stream.Reader, error) {
	cluster, topic := s.feed.cluster, s.query.topic()
	switch {
	case s.query.At != nil:
		return cluster.ReadAt(ctx, topic, s.query.At)
	case s.query.From.Latest():
		return cluster.Follow(ctx, topic)
	default:
		return cluster.Read(ctx, topic, s.query.From)
	}
}

func (s *Subscription) run(ctx context.Context, reader *stream.Reader) {
	for {
		records, err := reader.Next(ctx)
		if err != nil {
			return
		}
		for _, record := range records {
			if ctx.Err() != nil {
				return
			}
			s.hand(ctx, record, unsettled{})
		}
	}
}

// unsettled is the settlement of what nobody commits.
type unsettled struct{}

func (unsettled) Done()    {}
func (unsettled) Abandon() {}
