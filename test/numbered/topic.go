package numbered

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Attributes of an event, as headers in the binary mode of the CloudEvents binding for Kafka.
const (
	deviceHeader  = "ce_device"
	subjectHeader = "ce_subject"
)

// A Choice says which records of a topic are numbered messages. Others are passed over.
type Choice func(*kgo.Record) bool

// Channel chooses the events of one channel.
func Channel(name string) Choice {
	return func(r *kgo.Record) bool { return header(r, subjectHeader) == name }
}

// header is the value of a header, or "".
func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// ReadTopic reads a topic from its beginning to the end that it has now, partition by partition. A record that is not a
// numbered message of the device that its event names is an error, unless a choice passes it over.
func ReadTopic(ctx context.Context, brokers []string, topic string, choices ...Choice) ([]Stored, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, fmt.Errorf("reading topic %s: %w", topic, err)
	}
	defer client.Close()
	left, err := unread(ctx, client, topic)
	if err != nil {
		return nil, fmt.Errorf("reading topic %s: %w", topic, err)
	}
	var all []Stored
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("reading topic %s: %w", topic, err)
		}
		for record := range fetches.RecordsAll() {
			if end, reading := left[record.Partition]; reading && record.Offset < end && chosen(record, choices) {
				stored, err := parse(record)
				if err != nil {
					return nil, fmt.Errorf("topic %s, partition %d, offset %d: %w", topic, record.Partition, record.Offset, err)
				}
				all = append(all, stored)
			}
			if record.Offset+1 >= left[record.Partition] {
				delete(left, record.Partition)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Stored) int { return int(a.Partition) - int(b.Partition) })
	return all, nil
}

func chosen(record *kgo.Record, choices []Choice) bool {
	return !slices.ContainsFunc(choices, func(c Choice) bool { return !c(record) })
}

// unread is the end of every partition that has records.
func unread(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("asking where it begins: %w", err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("asking where it ends: %w", err)
	}
	if err := ends.Error(); err != nil {
		return nil, fmt.Errorf("asking where it ends: %w", err)
	}
	left := make(map[int32]int64)
	ends.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(topic, end.Partition)
		if ok && end.Offset > start.Offset {
			left[end.Partition] = end.Offset
		}
	})
	return left, nil
}

func parse(record *kgo.Record) (Stored, error) {
	m, err := ParseMessage(record.Value)
	if err != nil {
		return Stored{}, err
	}
	i := slices.IndexFunc(record.Headers, func(h kgo.RecordHeader) bool { return h.Key == deviceHeader })
	if i < 0 {
		return Stored{}, fmt.Errorf("no header %s", deviceHeader)
	}
	if named := string(record.Headers[i].Value); named != m.Device {
		return Stored{}, fmt.Errorf("a message of %s is stored as one of %s", m.Device, named)
	}
	return Stored{Message: m, Partition: record.Partition, Offset: record.Offset}, nil
}
