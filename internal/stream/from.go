package stream

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// A From says where in a topic somebody begins who has no position there. The zero value is the end: what comes from now on.
type From struct {
	kind   fromKind
	time   time.Time
	offset int64
}

type fromKind byte

const (
	fromLatest fromKind = iota
	fromEarliest
	fromTime
	fromOffset
)

// Earliest is the beginning of what Kafka still has.
func Earliest() From { return From{kind: fromEarliest} }

var errFrom = errors.New(`must be "earliest", "latest", a time such as 2026-01-31T08:00:00Z, or an offset`)

// ParseFrom reads "earliest", "latest", a time as in RFC 3339, or an offset, which counts in each partition; "" is latest. A place
// that Kafka no longer has, or does not have yet, is the nearest that it has.
func ParseFrom(text string) (From, error) {
	switch text {
	case "", "latest":
		return From{}, nil
	case "earliest":
		return Earliest(), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return From{kind: fromTime, time: at}, nil
	}
	if offset, err := strconv.ParseUint(text, 10, 63); err == nil {
		return From{kind: fromOffset, offset: int64(offset)}, nil
	}
	return From{}, errFrom
}

// Latest tells whether it is the end.
func (f From) Latest() bool { return f.kind == fromLatest }

// list asks Kafka for the offset in each partition of a topic.
func (f From) list(ctx context.Context, admin *kadm.Client, topic string) (kadm.ListedOffsets, error) {
	switch f.kind {
	case fromEarliest:
		return listed(admin.ListStartOffsets(ctx, topic))
	case fromTime:
		return listed(admin.ListOffsetsAfterMilli(ctx, f.time.UnixMilli(), topic))
	case fromOffset:
		return f.near(ctx, admin, topic)
	default:
		return listed(admin.ListEndOffsets(ctx, topic))
	}
}

// near is the offset in each partition, or the nearest one that there is.
func (f From) near(ctx context.Context, admin *kadm.Client, topic string) (kadm.ListedOffsets, error) {
	starts, err := listed(admin.ListStartOffsets(ctx, topic))
	if err != nil {
		return nil, err
	}
	ends, err := listed(admin.ListEndOffsets(ctx, topic))
	if err != nil {
		return nil, err
	}
	for partition, end := range ends[topic] {
		first, ok := starts.Lookup(topic, partition)
		if !ok {
			continue
		}
		if wanted := max(f.offset, first.Offset); wanted < end.Offset {
			end.Offset, end.LeaderEpoch = wanted, -1
			ends[topic][partition] = end
		}
	}
	return ends, nil
}

// listed joins the errors of a request and of its partitions.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	return offsets, err
}
