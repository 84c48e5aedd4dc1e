package stream

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
)

// partitionsInterval is how often it is looked for partitions that were added to a topic.
const partitionsInterval = time.Minute

// A direct is a fetch stream of one topic without a group. It is for one goroutine, but for its client's Close.
type direct struct {
	cluster *Cluster
	topic   string
	client  *kgo.Client
	known   map[int32]bool
	looked  time.Time // for partitions
}

// newDirect makes a fetch stream from a place on.
func (c *Cluster) newDirect(topic string, at Place, fetchBytes int32) (*direct, error) {
	begins, known := map[int32]kgo.Offset{}, map[int32]bool{}
	for partition, offset := range at {
		begins[partition], known[partition] = kgo.NewOffset().At(offset), true
	}
	client, err := kafka.NewClient(c.config,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: begins}),
		// For positions that Kafka no longer has.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxWait(c.fetchMaxWait),
	)
	if err != nil {
		return nil, err
	}
	return &direct{cluster: c, topic: topic, client: client, known: known, looked: time.Now()}, nil
}

// poll waits for records, at most so many. The error is that of the context; what Kafka cannot do is tried again.
func (d *direct) poll(ctx context.Context, most int) ([]*kgo.Record, error) {
	if time.Since(d.looked) > partitionsInterval {
		d.look(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, partitionsInterval)
	defer cancel()
	fetches := d.client.PollRecords(limited, most)
	fetches.EachError(func(_ string, _ int32, err error) {
		if limited.Err() == nil && !errors.Is(err, kgo.ErrClientClosed) {
			d.cluster.metrics.failed(ctx, "fetch")
		}
	})
	return fetches.Records(), ctx.Err()
}

// look begins partitions that were added, at their beginning: nobody has seen what is in them.
func (d *direct) look(ctx context.Context) {
	d.looked = time.Now()
	starts, err := Earliest().list(ctx, d.cluster.admin, d.topic)
	if err != nil {
		d.cluster.metrics.failed(ctx, "partitions")
		return
	}
	added := map[int32]kgo.Offset{}
	for partition := range starts[d.topic] {
		if !d.known[partition] {
			d.known[partition], added[partition] = true, kgo.NewOffset().AtStart()
		}
	}
	if len(added) > 0 {
		d.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{d.topic: added})
	}
}
