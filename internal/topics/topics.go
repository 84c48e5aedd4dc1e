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

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Memory knows which topics the registry has made. *store.Store is one. A maker is an application, by its uid, and what the topic
// is for.
type Memory interface {
	RememberTopic(ctx context.Context, maker, topic string) error
	TopicMakers(ctx context.Context, topic string) (makers []string, err error)
	ForgetTopic(ctx context.Context, maker string) error
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

// Follow makes or deletes the topics of an application that changed: the one for its events, and when it is gone also the one for
// its dead letters. Changes of one application come in their order. An error means that Kafka or the database is away, and the
// change is to be followed later. What Kafka will never do is logged.
func (t *Topics) Follow(ctx context.Context, change registry.Change) error {
	if change.Kind != registry.ApplicationChanged || !t.config.Make {
		return nil
	}
	err := t.follow(ctx, change)
	if Refused(err) {
		t.log.Error("Kafka refuses to make or delete the topic of an application", zap.String("application", change.Application), zap.Error(err))
		return nil
	}
	return err
}

func (t *Topics) follow(ctx context.Context, change registry.Change) error {
	if change.Deleted {
		return errors.Join(t.Remove(ctx, change.Application, change.UID, Events), t.Remove(ctx, change.Application, change.UID, DeadLetters))
	}
	if t.known(change.Application) == change.UID {
		return nil
	}
	if err := t.Ensure(ctx, change.Application, change.UID, Events); err != nil {
		return err
	}
	t.know(change.Application, change.UID)
	return nil
}

// Leftover tells whether a topic that was made for an application of a name is still there, or on its way to be deleted. What a new
// application of that name wrote into it would be deleted with it.
func (t *Topics) Leftover(ctx context.Context, application string) (bool, error) {
	if !t.config.Make {
		return false, nil
	}
	for _, p := range []Purpose{Events, DeadLetters} {
		if makers, err := t.memory.TopicMakers(ctx, p.Topic(application)); err != nil || len(makers) > 0 {
			return true, err
		}
	}
	return false, nil
}

// Refused tells whether an error says that Kafka will never do what it was asked.
func Refused(err error) bool {
	var refused *kerr.Error
	return errors.As(err, &refused) && !refused.Retriable
}

// Ensure makes a topic of an application, given by name and uid, if it is not there.
func (t *Topics) Ensure(ctx context.Context, application, uid string, p Purpose) error {
	topic := p.Topic(application)
	makers, err := t.memory.TopicMakers(ctx, topic)
	if err != nil {
		return err
	}
	ours := slices.Contains(makers, p.maker(uid))
	if !ours && len(makers) > 0 {
		return errStillThere
	}
	// What brokers say of topics lags behind what the controller knows: it is asked whether it would make the topic.
	if !ours {
		if theirs, err := t.exists(ctx, topic); err != nil || theirs {
			return err
		}
	}
	return t.create(ctx, application, topic, p.maker(uid))
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

func (t *Topics) create(ctx context.Context, application, topic, maker string) error {
	if err := t.memory.RememberTopic(ctx, maker, topic); err != nil {
		return err
	}
	made, err := t.admin.CreateTopic(ctx, int32(t.config.Partitions), int16(t.config.Replication), t.config.properties(), topic)
	if err == nil {
		err = made.Err
	}
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		return nil // made before, or by another process
	case err != nil:
		return fmt.Errorf("making the kafka topic %s: %w", topic, err)
	}
	t.log.Info("made a topic of an application", zap.String("application", application), zap.String("topic", topic))
	return nil
}

// Remove deletes a topic of an application that is gone or on its way out, given by name and uid, if it was made for that one and
// for no later one.
func (t *Topics) Remove(ctx context.Context, application, uid string, p Purpose) error {
	topic := p.Topic(application)
	if p == Events && t.known(application) == uid {
		t.know(application, "")
	}
	makers, err := t.memory.TopicMakers(ctx, topic)
	if err != nil || !slices.Contains(makers, p.maker(uid)) {
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
		t.log.Info("deleted a topic of an application", zap.String("application", application), zap.String("topic", topic))
	}
	return t.memory.ForgetTopic(ctx, p.maker(uid))
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
