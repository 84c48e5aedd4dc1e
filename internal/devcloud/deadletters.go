package devcloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/receiver"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/topics"
	"github.com/fairlead/fairlead/triggers"
)

// deadLetterTimeout bounds putting one event into its topic.
const deadLetterTimeout = 20 * time.Second

// deadLetters are the built-in dead letter sink. Like the KafkaSink that an application has in a cluster, it puts events into the
// topic of dead letters of their application, which it makes with the first one. Events of no application are only taken.
type deadLetters struct {
	store    *store.Store
	topics   *topics.Topics
	producer *kgo.Client

	mu   sync.Mutex
	made map[string]string // uid of the application whose topic is there, by its name
}

func newDeadLetters(n *Neighbours) (*deadLetters, error) {
	config := topics.DefaultConfig()
	config.Partitions = Partitions
	made, err := topics.New(config, n.Kafka, n.Store, nil)
	if err != nil {
		return nil, err
	}
	producer, err := kafka.NewClient(n.Kafka, kgo.ProducerLinger(0))
	if err != nil {
		made.Close()
		return nil, err
	}
	return &deadLetters{store: n.Store, topics: made, producer: producer, made: map[string]string{}}, nil
}

func (d *deadLetters) close() {
	d.topics.Close()
	d.producer.Close()
}

func (d *deadLetters) server() *http.Server { return receiver.Server(receiver.Sink(d.put)) }

// put stores one event.
func (d *deadLetters) put(ctx context.Context, e cloudevents.Event) error {
	ctx, cancel := context.WithTimeout(ctx, deadLetterTimeout)
	defer cancel()
	application, err := d.store.Application(ctx, receiver.Attribute(e, "application"))
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	letter, err := triggers.FromSDK(e)
	if err != nil {
		return err
	}
	name := application.Metadata.Name
	if err := d.ensure(ctx, name, application.Metadata.UID); err != nil {
		return err
	}
	if err := d.producer.ProduceSync(ctx, dispatch.Encode(event.DeadLetterTopic(name), letter)).FirstErr(); err != nil {
		d.note(name, "") // the topic may be gone
		return fmt.Errorf("storing a dead letter: %w", err)
	}
	return nil
}

// ensure makes the topic of an application.
func (d *deadLetters) ensure(ctx context.Context, name, uid string) error {
	d.mu.Lock()
	there := d.made[name] == uid
	d.mu.Unlock()
	if there {
		return nil
	}
	if err := d.topics.Ensure(ctx, name, uid, topics.DeadLetters); err != nil {
		return err
	}
	d.note(name, uid)
	return nil
}

func (d *deadLetters) note(name, uid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made[name] = uid
}
