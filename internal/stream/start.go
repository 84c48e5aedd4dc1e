package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/registry"
)

// startInterval is the pause between attempts to give a new group its positions.
const startInterval = 100 * time.Millisecond

// start gives a new group its positions. What passes by itself, such as a coordinator that Kafka is just choosing, is tried
// again until the context ends.
func (c *Cluster) start(ctx context.Context, group, topic string, from From) error {
	for {
		err := c.initialise(ctx, group, topic, from)
		if err == nil || !kerr.IsRetriable(err) || !backoff.Wait(ctx, startInterval) {
			return err
		}
	}
}

// initialise commits where each partition begins for a group that has no positions in the topic yet, so that the place at
// which the group starts is settled now and not by the first fetch.
func (c *Cluster) initialise(ctx context.Context, group, topic string, from From) error {
	begins, err := c.place(ctx, topic, from)
	if err != nil {
		return err
	}
	known, err := c.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("asking Kafka for the offsets of the group: %w", err)
	}
	if len(known[topic]) > 0 {
		return nil
	}
	var first kadm.Offsets
	begins.Each(func(o kadm.ListedOffset) { first.AddOffset(o.Topic, o.Partition, o.Offset, o.LeaderEpoch) })
	committed, err := c.admin.CommitOffsets(ctx, group, first)
	if err == nil {
		err = committed.Error()
	}
	// A group with members was set up by another process.
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) && !errors.Is(err, kerr.RebalanceInProgress) {
		return fmt.Errorf("setting the first offsets of the group: %w", err)
	}
	return nil
}

// place asks Kafka where in each partition of a topic to begin.
func (c *Cluster) place(ctx context.Context, topic string, from From) (kadm.ListedOffsets, error) {
	begins, err := from.list(ctx, c.admin, topic)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, errors.New("its topic does not exist: no such application is registered" + c.nearest(ctx, topic))
	}
	if err != nil {
		return nil, fmt.Errorf("asking Kafka where to begin in the topic: %w", err)
	}
	return begins, nil
}

// topicPrefix begins the names of the topics of applications.
const topicPrefix = "events-"

// nearest asks whether the topic of another application was meant; "" if none is near.
func (c *Cluster) nearest(ctx context.Context, topic string) string {
	topics, err := c.admin.ListTopics(ctx)
	if err != nil {
		return ""
	}
	var known []string
	for name, found := range topics {
		if application, ok := strings.CutPrefix(name, topicPrefix); ok && found.Err == nil {
			known = append(known, application)
		}
	}
	slices.Sort(known)
	if meant := registry.Nearest(strings.TrimPrefix(topic, topicPrefix), known); meant != "" {
		return "; did you mean " + meant + "?"
	}
	return ""
}
