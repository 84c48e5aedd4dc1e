package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/fairlead/fairlead/internal/stream"
)

// ErrNoTopic says that nothing was ever stored where one looked.
var ErrNoTopic = errors.New("there is no such topic")

// A Place is somewhere in a topic: a time, or an offset for each partition. The zero value is none.
type Place struct {
	Time    time.Time       // records from then on lie behind it
	Offsets map[int32]int64 // for partitions; those that are missing are not meant
	Start   bool            // the beginning of the topic
}

// IsZero tells whether no place is named.
func (p Place) IsZero() bool { return p.Time.IsZero() && p.Offsets == nil && !p.Start }

// String is the text that ParsePlace reads.
func (p Place) String() string {
	switch {
	case p.Start:
		return "start"
	case p.Offsets == nil:
		return p.Time.Format(time.RFC3339Nano)
	}
	parts := make([]string, 0, len(p.Offsets))
	for _, id := range slices.Sorted(maps.Keys(p.Offsets)) {
		parts = append(parts, fmt.Sprintf("%d:%d", id, p.Offsets[id]))
	}
	return strings.Join(parts, ",")
}

var errPlace = errors.New("must be start, a time as 2006-01-02T15:04:05Z, a duration ago as 90m or 2d, or offsets as 0:1200,1:900")

// maxPartitions bounds the offsets that ParsePlace reads.
const maxPartitions = 10_000

// ParsePlace reads a place: "start", a time (RFC 3339), how long ago, or partition:offset pairs with commas between them.
func ParsePlace(text string, now time.Time) (Place, error) {
	if text == "start" {
		return Place{Start: true}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil && !t.IsZero() {
		return Place{Time: t}, nil
	}
	if strings.Contains(text, ":") {
		return parseOffsets(text)
	}
	ago, err := parseAgo(text)
	if err != nil || ago < 0 {
		return Place{}, errPlace
	}
	return Place{Time: now.Add(-ago)}, nil
}

// parseAgo reads a duration, which may be in whole days.
func parseAgo(text string) (time.Duration, error) {
	days, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	return time.Duration(n) * 24 * time.Hour, err
}

func parseOffsets(text string) (Place, error) {
	p := Place{Offsets: map[int32]int64{}}
	for pair := range strings.SplitSeq(text, ",") {
		first, second, _ := strings.Cut(pair, ":")
		id, err1 := strconv.ParseInt(first, 10, 32)
		offset, err2 := strconv.ParseInt(second, 10, 64)
		if err := cmp.Or(err1, err2); err != nil || id < 0 || offset < 0 || len(p.Offsets) == maxPartitions {
			return Place{}, errPlace
		}
		if _, twice := p.Offsets[int32(id)]; twice {
			return Place{}, fmt.Errorf("names partition %d twice", id)
		}
		p.Offsets[int32(id)] = offset
	}
	return p, nil
}

// bounds are the spans of a topic that lie between two places. Without a place to begin at it is the start, without one to end at
// the present end of the topic. A partition that a list of offsets leaves out is not read.
func (c *Client) bounds(ctx context.Context, topic string, from, until Place) (map[int32]stream.Span, error) {
	starts, err := listed(c.admin.ListStartOffsets(ctx, topic))
	if err != nil {
		return nil, err
	}
	ends, err := listed(c.admin.ListEndOffsets(ctx, topic))
	if err != nil {
		return nil, err
	}
	first, err := c.offsets(ctx, topic, from, starts)
	if err != nil {
		return nil, err
	}
	last, err := c.offsets(ctx, topic, until, ends)
	if err != nil {
		return nil, err
	}
	spans := map[int32]stream.Span{}
	for id, begin := range first {
		end, ok := last[id]
		if _, exists := ends[id]; !exists {
			return nil, fmt.Errorf("topic %s has no partition %d", topic, id)
		}
		if !ok {
			continue
		}
		begin, end = max(begin, starts[id]), min(end, ends[id])
		spans[id] = stream.Span{From: begin, To: max(begin, end)}
	}
	return spans, nil
}

// offsets are those of a place, or the given ones if there is none.
func (c *Client) offsets(ctx context.Context, topic string, place Place, none map[int32]int64) (map[int32]int64, error) {
	switch {
	case place.Offsets != nil:
		return place.Offsets, nil
	case place.Start:
		return listed(c.admin.ListStartOffsets(ctx, topic))
	case !place.Time.IsZero():
		return listed(c.admin.ListOffsetsAfterMilli(ctx, place.Time.UnixMilli(), topic))
	}
	return none, nil
}

// listed are the offsets of the partitions of a topic, as Kafka answered.
func listed(answer kadm.ListedOffsets, err error) (map[int32]int64, error) {
	if err == nil {
		err = answer.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, ErrNoTopic
	}
	if err != nil {
		return nil, fmt.Errorf("asking Kafka for offsets: %w", err)
	}
	all := map[int32]int64{}
	answer.Each(func(o kadm.ListedOffset) { all[o.Partition] = o.Offset })
	return all, nil
}
