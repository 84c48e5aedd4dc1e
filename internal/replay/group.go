package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/stream"
)

const againInterval = 200 * time.Millisecond

// A groupPosition keeps in Kafka how far the work on a topic came, as the position of a consumer group that never has members.
type groupPosition struct {
	admin        *kadm.Client
	group, topic string
}

// load is how far the work came in each partition of which something is known.
func (k *groupPosition) load(ctx context.Context) (map[int32]*position, error) {
	var answer kadm.OffsetResponses
	err := again(ctx, func() (err error) {
		if answer, err = k.admin.FetchOffsets(ctx, k.group); err == nil {
			err = answer.Error()
		}
		return err
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking Kafka for the position %s: %w", k.group, err)
	}
	known := map[int32]*position{}
	for id, o := range answer[k.topic] {
		if known[id], err = readPosition(o.At, o.Metadata); err != nil {
			return nil, fmt.Errorf("position %s: %w", k.group, err)
		}
	}
	return known, nil
}

// save keeps what is done.
func (k *groupPosition) save(ctx context.Context, l *ledger) error {
	var all kadm.Offsets
	l.mu.Lock()
	for id, p := range l.at {
		all.Add(kadm.Offset{Topic: k.topic, Partition: id, At: p.next, LeaderEpoch: -1, Metadata: p.metadata()})
	}
	l.mu.Unlock()
	err := again(ctx, func() error {
		answer, err := k.admin.CommitOffsets(ctx, k.group, all)
		if err == nil {
			err = answer.Error()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping the position %s in Kafka: %w", k.group, err)
	}
	return nil
}

// forget makes the next run begin anew.
func (k *groupPosition) forget(ctx context.Context) error {
	answer, err := k.admin.DeleteGroup(ctx, k.group)
	if err == nil {
		err = answer.Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("deleting the position %s: %w", k.group, err)
	}
	return nil
}

// again does what Kafka refuses for a moment, as while it chooses a coordinator, until ctx ends.
func again(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || !kerr.IsRetriable(err) || !backoff.Wait(ctx, againInterval) {
			return err
		}
	}
}

// resume lets spans begin where the work ended before, and end where it was to. Of a topic that was made anew since, nothing is done.
func resume(spans map[int32]stream.Span, known map[int32]*position) *ledger {
	l := &ledger{at: map[int32]*position{}}
	for id, s := range spans {
		p := known[id]
		if p == nil || p.next > s.To {
			p = &position{next: s.From, end: noEnd}
		}
		if p.end != noEnd {
			s.To = min(s.To, p.end)
		}
		s.From = max(p.next, s.From)
		s.To = max(s.To, s.From)
		spans[id], l.at[id] = s, p
	}
	return l
}
