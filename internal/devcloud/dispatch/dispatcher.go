package dispatch

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/stream"
)

// produceTimeout is how long a reply may take to be stored before it counts as failed.
const produceTimeout = 30 * time.Second

// Options configure a Dispatcher.
type Options struct {
	Kafka   kafka.Config // which brokers, and how to log in
	Logger  *slog.Logger // nil logs nothing
	Observe func(Report) // called for each record that is done with, from several goroutines; nil for none
}

// A Dispatcher serves a set of subscriptions.
type Dispatcher struct {
	deps     *dependencies
	producer *kgo.Client

	running sync.WaitGroup // every consumer, retired ones too
	abort   context.CancelFunc

	mu     sync.Mutex
	served map[string]*service
	closed bool
}

// dependencies are what all consumers share.
type dependencies struct {
	requests context.Context // ends every HTTP request
	cluster  *stream.Cluster
	produce  func(context.Context, *kgo.Record) error
	sender   *sender
	metrics  *metrics
	logger   *slog.Logger
	observe  func(Report)
}

// A service is one running consumer.
type service struct {
	consumer *consumer
	stop     context.CancelFunc // starts draining
	ended    chan struct{}
}

// New makes a Dispatcher without subscriptions.
func New(options Options) (*Dispatcher, error) {
	metrics, err := newMetrics()
	if err != nil {
		return nil, err
	}
	cluster, err := stream.Connect(options.Kafka)
	if err != nil {
		return nil, err
	}
	producer, err := kafka.NewClient(options.Kafka, kgo.ProducerLinger(0))
	if err != nil {
		cluster.Close()
		return nil, err
	}
	requests, abort := context.WithCancel(context.Background())
	return &Dispatcher{
		abort: abort,
		deps: &dependencies{
			requests: requests,
			cluster:  cluster,
			produce: func(ctx context.Context, record *kgo.Record) error {
				ctx, cancel := context.WithTimeout(ctx, produceTimeout)
				defer cancel()
				return producer.ProduceSync(ctx, record).FirstErr()
			},
			sender:  newSender(),
			metrics: metrics,
			logger:  cmp.Or(options.Logger, slog.New(slog.DiscardHandler)),
			observe: options.Observe,
		},
		producer: producer,
		served:   map[string]*service{},
	}, nil
}

// Apply makes the given subscriptions the ones that are served. What is no longer there or differs in its Version is
// stopped; the new version of a subscription begins when the old one has come to its end. It does not wait; see Settled.
func (d *Dispatcher) Apply(subscriptions []Subscription) error {
	wanted := make(map[string]Subscription, len(subscriptions))
	for _, s := range subscriptions {
		if err := s.Validate(); err != nil {
			return fmt.Errorf("subscription %s: %w", s.Name, err)
		}
		wanted[s.Name] = s
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	for name, running := range d.served {
		if next, ok := wanted[name]; !ok || next.Version != running.consumer.subscription.Version {
			running.stop()
		}
		if _, ok := wanted[name]; !ok {
			delete(d.served, name)
		}
	}
	for name, s := range wanted {
		before := d.served[name]
		if before != nil && before.consumer.subscription.Version == s.Version {
			continue
		}
		d.served[name] = d.serve(s, before)
	}
	return nil
}

func (d *Dispatcher) serve(subscription Subscription, before *service) *service {
	ctx, stop := context.WithCancel(context.Background())
	s := &service{consumer: newConsumer(subscription, d.deps), stop: stop, ended: make(chan struct{})}
	d.running.Go(func() {
		defer close(s.ended)
		if before != nil {
			<-before.ended
		}
		s.consumer.stream.Run(ctx, d.deps.requests)
	})
	return s
}

// Settled waits until each subscription either has its place in its topic, so that every event from now on is
// delivered, or is known to wait for something.
func (d *Dispatcher) Settled(ctx context.Context) error {
	for _, s := range d.services() {
		select {
		case <-s.consumer.stream.Settled():
		case <-ctx.Done():
			return fmt.Errorf("waiting for Trigger %s: %w", s.consumer.subscription.Name, ctx.Err())
		}
	}
	return nil
}

// Status lists a snapshot of each subscription, by name.
func (d *Dispatcher) Status() []Status {
	services := d.services()
	all := make([]Status, len(services))
	for i, s := range services {
		all[i] = s.consumer.status()
	}
	return all
}

func (d *Dispatcher) services() []*service {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*service, 0, len(d.served))
	for _, s := range d.served {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *service) int {
		return cmp.Compare(a.consumer.subscription.Name, b.consumer.subscription.Name)
	})
	return all
}

// Close drains: no delivery is begun any more, requests on their way may end until the context does, and offsets are
// committed. Events whose delivery did not end are delivered again by the next Dispatcher.
func (d *Dispatcher) Close(ctx context.Context) error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	for _, s := range d.services() {
		s.stop()
	}
	stop := context.AfterFunc(ctx, d.abort)
	defer stop()
	d.running.Wait()
	d.abort()
	d.deps.sender.close()
	d.producer.Close()
	d.deps.cluster.Close()
	return nil
}
