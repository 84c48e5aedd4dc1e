package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
)

// A Span is a range of offsets of one partition. To is not in it.
type Span struct{ From, To int64 }

// SpanOptions say what ReadSpans reads.
type SpanOptions struct {
	Topic   string
	Spans   map[int32]Span // by partition
	Limit   int            // as in Options
	Handler Handler        // gets the records
}

// ReadSpans hands the records of some spans out, as a Consumer does, but outside of any group: nothing is committed. It returns
// nil when all are settled. Where ctx ends before, nothing more is handed out, deliveries on their way may end within ten seconds,
// and the error is the cause of that end. Records that Kafka has removed meanwhile are left out.
func (c *Cluster) ReadSpans(ctx context.Context, options SpanOptions) error {
	r, err := newSpanReader(c, options)
	if err != nil {
		return err
	}
	defer r.client.Close()
	if err := r.read(ctx); err != nil {
		r.stop()
		return err
	}
	return r.await(ctx)
}

// A spanReader fetches spans and hands them out.
type spanReader struct {
	cluster    *Cluster
	options    SpanOptions
	client     *kgo.Client
	partitions map[int32]*partition
	left       map[int32]int64 // the ends of spans that are not fetched to their end
}

func newSpanReader(c *Cluster, options SpanOptions) (*spanReader, error) {
	r := &spanReader{cluster: c, options: options, partitions: map[int32]*partition{}, left: map[int32]int64{}}
	from := map[int32]kgo.Offset{}
	for id, span := range options.Spans {
		if span.From < span.To {
			from[id], r.left[id] = kgo.NewOffset().At(span.From), span.To
		}
	}
	client, err := kafka.NewClient(c.config,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{options.Topic: from}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords(), // one may be the last of a span
		kgo.FetchMaxBytes(maxFetchBytes),
		kgo.FetchMaxWait(c.fetchMaxWait),
	)
	if err != nil {
		return nil, fmt.Errorf("making a Kafka client: %w", err)
	}
	r.client = client
	for id := range r.left {
		r.partitions[id] = r.begin(id)
	}
	return r, nil
}

// begin makes a partition. Its deliveries have ten seconds to end after the reader is stopped, so they do not end with ctx.
func (r *spanReader) begin(id int32) *partition {
	p := newPartition(max(1, r.options.Limit), r.options.Handler, r.cluster.metrics)
	p.mark = func(kgo.EpochOffset) {}
	p.pause = func(paused bool) { setPaused(r.client, r.options.Topic, id, paused) }
	p.start(context.Background())
	return p
}

// read fetches until all spans are fetched.
func (r *spanReader) read(ctx context.Context) error {
	for len(r.left) > 0 {
		fetches, err := r.poll(ctx)
		if err != nil {
			return err
		}
		fetches.EachPartition(r.take)
		if fetches.NumRecords() == 0 {
			if err := r.leaveOutRemoved(ctx); err != nil {
				return err
			}
		}
		makeRoom(ctx, r.cluster.roomTimeout, slices.Collect(maps.Values(r.partitions)))
	}
	return nil
}

// poll waits for records for a while.
func (r *spanReader) poll(ctx context.Context) (kgo.Fetches, error) {
	waiting, cancel := context.WithTimeout(ctx, r.cluster.idleTimeout)
	defer cancel()
	fetches := r.client.PollRecords(waiting, maxPoll)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	for _, failed := range fetches.Errors() {
		var removed *kgo.ErrDataLoss
		if failed.Partition >= 0 && !errors.As(failed.Err, &removed) {
			return nil, fmt.Errorf("reading partition %d of topic %s: %w", failed.Partition, r.options.Topic, failed.Err)
		}
	}
	return fetches, nil
}

// take hands the fetched records of one partition on, up to the end of its span.
func (r *spanReader) take(fetched kgo.FetchTopicPartition) {
	end, ok := r.left[fetched.Partition]
	if !ok || len(fetched.Records) == 0 {
		return
	}
	last := fetched.Records[len(fetched.Records)-1].Offset
	wanted := slices.DeleteFunc(fetched.Records, func(record *kgo.Record) bool {
		return record.Offset >= end || record.Attrs.IsControl()
	})
	r.partitions[fetched.Partition].push(wanted, fetched.HighWatermark)
	if last >= end-1 {
		r.finish(fetched.Partition)
	}
}

// finish fetches no more of a partition.
func (r *spanReader) finish(id int32) {
	delete(r.left, id)
	r.partitions[id].finish()
	setPaused(r.client, r.options.Topic, id, true)
}

// leaveOutRemoved finishes the spans of which Kafka has nothing any more.
func (r *spanReader) leaveOutRemoved(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	starts, err := r.cluster.admin.ListStartOffsets(asking, r.options.Topic)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("asking Kafka for the begin of topic %s: %w", r.options.Topic, err)
	}
	starts.Each(func(start kadm.ListedOffset) {
		if end, ok := r.left[start.Partition]; ok && start.Offset >= end {
			r.finish(start.Partition)
		}
	})
	return nil
}

// await waits until all that was fetched is settled.
func (r *spanReader) await(ctx context.Context) error {
	for _, p := range r.partitions {
		select {
		case <-p.ended:
		case <-ctx.Done():
			r.stop()
			return context.Cause(ctx)
		}
	}
	r.stop()
	return nil
}

// stop lets deliveries on their way end.
func (r *spanReader) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), revokeDrain)
	defer cancel()
	var stopping sync.WaitGroup
	for _, p := range r.partitions {
		stopping.Go(func() { p.stop(ctx) })
	}
	stopping.Wait()
}
