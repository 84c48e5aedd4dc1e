package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// NewClient makes a client of the configuration with further options, for consumers.
func NewClient(c Config, more ...kgo.Opt) (*kgo.Client, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(options, more...)...)
	if err != nil {
		return nil, fmt.Errorf("making a kafka client: %w", err)
	}
	return client, nil
}

// EnsureTopics creates the topics that are missing, with the broker's default replication.
func EnsureTopics(ctx context.Context, c Config, partitions int32, topics ...string) error {
	client, err := NewClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	created, err := kadm.NewClient(client).CreateTopics(ctx, partitions, -1, nil, topics...)
	if err != nil {
		return fmt.Errorf("creating kafka topics: %w", err)
	}
	for _, topic := range created.Sorted() {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating kafka topic %s: %w", topic.Topic, topic.Err)
		}
	}
	return nil
}
