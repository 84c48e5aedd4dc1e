package dryrun

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
)

// ErrNoTopic says that nothing was ever stored for an application.
var ErrNoTopic = errors.New("the application has no topic: it is not registered, or this is another Kafka")

// Newest reads the newest records of a topic, at most so many, oldest first. Records that come while it reads are left
// out.
func Newest(ctx context.Context, c kafka.Config, topic string, most int) ([]*kgo.Record, error) {
	client, err := kafka.NewClient(c, kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	spans, err := newestSpans(ctx, kadm.NewClient(client), topic, int64(most))
	if err != nil || len(spans) == 0 {
		return nil, err
	}
	from := map[int32]kgo.Offset{}
	for partition, s := range spans {
		from[partition] = kgo.NewOffset().At(s.from)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	records, err := readSpans(ctx, client, spans)
	if err != nil {
		return nil, fmt.Errorf("reading topic %s: %w", topic, err)
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	return records[max(0, len(records)-most):], nil
}

// A span is a range of offsets of one partition; to is not in it.
type span struct{ from, to int64 }

// newestSpans finds where the newest records lie, without empty spans.
func newestSpans(ctx context.Context, admin *kadm.Client, topic string, most int64) (map[int32]span, error) {
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, ErrNoTopic
	}
	if err != nil {
		return nil, fmt.Errorf("asking Kafka for the begin of topic %s: %w", topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err = cmp.Or(err, ends.Error()); err != nil {
		return nil, fmt.Errorf("asking Kafka for the end of topic %s: %w", topic, err)
	}
	spans := map[int32]span{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, end.Partition)
		s := span{from: max(start.Offset, end.Offset-most), to: end.Offset}
		if s.from < s.to {
			spans[end.Partition] = s
		}
	})
	return spans, nil
}

// readSpans polls until every span is read. The last offset of a span may hold a marker of a transaction, so the client
// keeps those.
func readSpans(ctx context.Context, client *kgo.Client, spans map[int32]span) (records []*kgo.Record, err error) {
	for len(spans) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			s, ok := spans[r.Partition]
			if ok && r.Offset < s.to && !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if ok && r.Offset >= s.to-1 {
				delete(spans, r.Partition)
			}
		})
	}
	return records, nil
}
