package stream

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/neighbour"
)

const (
	topic = "events-app"
	group = "app.readers"
)

// A broker is a Kafka in the process, with a producer that chooses partitions.
type broker struct {
	*testing.T
	kafka    *kfake.Cluster
	producer *kgo.Client
}

func newBroker(t *testing.T, partitions int32) *broker {
	t.Helper()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	producer, err := kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return &broker{t, kafka, producer}
}

func (b *broker) config() kafka.Config { return kafka.Config{Brokers: b.kafka.ListenAddrs()} }

func (b *broker) cluster() *Cluster {
	b.Helper()
	c, err := Connect(b.config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// text is a record.
func text(value string, partition int32) *kgo.Record {
	return &kgo.Record{Value: []byte(value), Partition: partition}
}

func (b *broker) produce(records ...*kgo.Record) {
	b.Helper()
	if err := b.producer.ProduceSync(b.Context(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// produceMany produces numbers from 0, in turns to some partitions.
func (b *broker) produceMany(n int, partitions ...int32) {
	b.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = text(strconv.Itoa(i), partitions[i%len(partitions)])
	}
	b.produce(records...)
}

// committed is the committed offset of the group in a partition, -1 for none.
func (b *broker) committed(partition int32) int64 {
	b.Helper()
	offsets, err := kadm.NewClient(b.producer).FetchOffsets(b.Context(), group)
	if err != nil {
		b.Fatal(err)
	}
	at, ok := offsets.Lookup(topic, partition)
	if !ok {
		return -1
	}
	return at.At
}

func (b *broker) awaitCommit(partition int32, offset int64) {
	b.Helper()
	neighbour.Eventually(b, "the commit of "+strconv.FormatInt(offset, 10), func() bool { return b.committed(partition) == offset })
}

// A member is a consumer that runs.
type member struct {
	*Consumer
	abort func() // ends the deliveries
	end   func() // lets it drain, and waits
}

// member runs a consumer, and waits until it has its place.
func (b *broker) member(c *Cluster, limit int, handler Handler) *member {
	b.Helper()
	m := &member{Consumer: c.NewConsumer(Options{Topic: topic, Group: group, Limit: limit, Handler: handler})}
	b.run(m)
	return m
}

func (b *broker) run(m *member) {
	b.Helper()
	ctx, stop := context.WithCancel(context.Background())
	deliveries, abort := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx, deliveries) })
	m.abort = abort
	m.end = func() { stop(); running.Wait() }
	b.Cleanup(func() { abort(); m.end() })
	select {
	case <-m.Settled():
	case <-time.After(time.Minute):
		b.Fatal("the consumer does not find its place")
	}
}

// A recorder notes records. It is a Handler that settles what it gets at once, unless keep is set.
type recorder struct {
	keep func(*Delivery) bool // tells whether somebody else settles it

	mu     sync.Mutex
	values []string
	kept   []*Delivery
}

func (r *recorder) handle(_ context.Context, d *Delivery) {
	keep := r.keep != nil && r.keep(d)
	r.mu.Lock()
	r.values = append(r.values, string(d.Record.Value))
	if keep {
		r.kept = append(r.kept, d)
	}
	r.mu.Unlock()
	if !keep {
		d.Done()
	}
}

func (r *recorder) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.values)
}

func (r *recorder) deliveries() []*Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept)
}

func (r *recorder) await(t *testing.T, n int) {
	t.Helper()
	neighbour.Eventually(t, strconv.Itoa(n)+" records", func() bool { return len(r.got()) >= n })
}

func everything(*Delivery) bool { return true }
