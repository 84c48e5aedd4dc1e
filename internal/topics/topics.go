package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Memory knows which topics the registry has made. *store.Store is one.
type Memory interface {
	RememberTopic(ctx context.Context, applicationUID, topic string) error
	TopicMakers(ctx context.Context, topic string) (applicationUIDs []string, err error)
	ForgetTopic(ctx context.Context, applicationUID string) error
}

// Topics follow the applications of a registry. It is safe for concurrent use, also by several processes.
type Topics struct {
	config Config
	admin  *kadm.Client
	memory Memory
	log    *zap.Logger

	mu   sync.Mutex
	have map[string]string // uid of the application whose topic is known to be there, by its name
}

// New makes a follower, which connects when it is first needed. The log may be nil.
func New(c Config, k kafka.Config, m Memory, log *zap.Logger) (*Topics, error) {
	if log == nil {
		log = zap.NewNop()
	}
	client, err := kafka.NewClient(k)
	if err != nil {
		return nil, err
	}
	return &Topics{config: c, admin: kadm.NewClient(client), memory: m, log: log, have: map[string]string{}}, nil
}

// Close disconnects.
func (t *Topics) Close() { t.admin.Close() }

// maxKnown bounds what is remembered of topics that are there.
const maxKnown = 100_000

// errStillThere means that a topic of an earlier application of the name is being deleted.
var errStillThere = errors.New("the topic of an earlier application of that name is still there")

// Follow makes or deletes the topic of an application that changed. Changes of one application come in their order. An error
// means that Kafka or the database is away, and the change is to be followed later. What Kafka will never do is logged.
func (t *Topics) Follow(ctx context.Context, change registry.Change) error {
	if change.Kind != registry.ApplicationChanged || !t.config.Make {
		return nil
	}
	topic := event.Topic(change.Application)
	var err error
	if change.Deleted {
		err = t.remove(ctx, change, topic)
	} else {
		err = t.ensure(ctx, change, topic)
	}
	var refused *kerr.Error
	if errors.As(err, &refused) && !refused.Retriable {
		t.log.Error("Kafka refuses to make or delete the topic of an application", zap.String("application", change.Application), zap.String("topic", topic), zap.Error(err))
		return nil
	}
	return err
}

func (t *Topics) ensure(ctx context.Context, change registry.Change, topic string) error {
	if t.known(change.Application) == change.UID {
		return nil
	}
	makers, err := t.memory.TopicMakers(ctx, topic)
	if err != nil {
		return err
	}
	ours := slices.Contains(makers, change.UID)
	if !ours && len(makers) > 0 {
		return errStillThere
	}
	// What brokers say of topics lags behind what the controller knows: it is asked whether it would make the topic.
	theirs := false
	if !ours {
		if theirs, err = t.exists(ctx, topic); err != nil {
			return err
		}
	}
	if !theirs {
		if err := t.create(ctx, change, topic); err != nil {
			return err
		}
	}
	t.know(change.Application, change.UID)
	return nil
}

// exists tells whether there is a topic of that name.
func (t *Topics) exists(ctx context.Context, topic string) (bool, error) {
	answers, err := t.admin.ValidateCreateTopics(ctx, int32(t.config.Partitions), int16(t.config.Replication), nil, topic)
	if err == nil {
		err = answers[topic].Err
	}
	switch {
	case err == nil:
		return false, nil
	case errors.Is(err, kerr.TopicAlreadyExists):
		return true, nil
	default:
		return false, fmt.Errorf("looking for the kafka topic %s: %w", topic, err)
	}
}

func (t *Topics) create(ctx context.Context, change registry.Change, topic string) error {
	if err := t.memory.RememberTopic(ctx, change.UID, topic); err != nil {
		return err
	}
	made, err := t.admin.CreateTopic(ctx, int32(t.config.Partitions), int16(t.config.Replication), nil, topic)
	if err == nil {
		err = made.Err
	}
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		return nil // made before, or by another process
	case err != nil:
		return fmt.Errorf("making the kafka topic %s: %w", topic, err)
	}
	t.log.Info("made the topic of an application", zap.String("application", change.Application), zap.String("topic", topic))
	return nil
}

// remove deletes the topic of an application that is gone, if it was made for that one and for no later one.
func (t *Topics) remove(ctx context.Context, change registry.Change, topic string) error {
	if t.known(change.Application) == change.UID {
		t.know(change.Application, "")
	}
	makers, err := t.memory.TopicMakers(ctx, topic)
	if err != nil || !slices.Contains(makers, change.UID) {
		return err
	}
	if len(makers) == 1 {
		deleted, err := t.admin.DeleteTopic(ctx, topic)
		if err == nil {
			err = deleted.Err
		}
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("deleting the kafka topic %s: %w", topic, err)
		}
		t.log.Info("deleted the topic of an application", zap.String("application", change.Application), zap.String("topic", topic))
	}
	return t.memory.ForgetTopic(ctx, change.UID)
}

func (t *Topics) known(application string) (uid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.have[application]
}

func (t *Topics) know(application, uid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if uid == "" {
		delete(t.have, application)
		return
	}
	if len(t.have) >= maxKnown {
		clear(t.have)
	}
	t.have[application] = uid
}
