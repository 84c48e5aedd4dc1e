//go:build integration

package topics

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/sqlite"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }

// A world is a follower on a real Kafka, with an application name of its own.
type world struct {
	*testing.T
	*Topics
	client   *kgo.Client
	producer *kafka.Producer
	name     string
}

func newWorld(t *testing.T, c Config) *world {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := migrate.Up(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	k := kafka.DefaultConfig()
	k.Brokers = neighbour.SharedKafka(t).Brokers()
	topics, err := New(c, k, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(topics.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	producer, err := kafka.NewProducer(k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = producer.Close(context.Background()) })
	return &world{T: t, Topics: topics, client: client, producer: producer, name: "t-" + strings.ToLower(rand.Text()[:10])}
}

// left tells whether a new application of the name has to wait.
func (w *world) left() bool {
	w.Helper()
	left, err := w.Leftover(w.Context(), w.name)
	if err != nil {
		w.Fatal(err)
	}
	return left
}

// follow goes on until a change is followed: a topic that is being deleted is there for a while.
func (w *world) follow(uid string, deleted bool) {
	w.Helper()
	change := registry.Change{Kind: registry.ApplicationChanged, Application: w.name, UID: uid, Deleted: deleted}
	neighbour.Eventually(w, "the topic to follow", func() bool { return w.Follow(w.Context(), change) == nil })
}

func (w *world) topic() string { return event.Topic(w.name) }

// partitions is 0 if the topic is not there.
func (w *world) partitions() int {
	w.Helper()
	found, err := kadm.NewClient(w.client).ListTopics(w.Context(), w.topic())
	if err != nil {
		w.Fatal(err)
	}
	return len(found[w.topic()].Partitions)
}

// write stores one record, with a producer that may know the topic from before it was deleted.
func (w *world) write() {
	w.Helper()
	neighbour.Eventually(w, "a record to be stored", func() bool {
		done := make(chan error, 1)
		w.producer.Write(w.Context(), &kgo.Record{Topic: w.topic(), Key: []byte("k"), Value: []byte("old")}, func(err error) { done <- err })
		return <-done == nil
	})
}

// records is how many are in the topic, once its partitions have leaders.
func (w *world) records() (n int64) {
	w.Helper()
	neighbour.Eventually(w, "the ends of the topic", func() bool {
		ends, err := kadm.NewClient(w.client).ListEndOffsets(w.Context(), w.topic())
		n = 0
		ends.Each(func(o kadm.ListedOffset) {
			n += o.Offset
			err = errors.Join(err, o.Err)
		})
		return err == nil
	})
	return n
}

func TestTopicComesAndGoesWithTheApplication(t *testing.T) {
	c := DefaultConfig()
	c.Partitions = 2
	w := newWorld(t, c)
	w.follow("one", false)
	if got := w.partitions(); got != 2 {
		t.Fatalf("%d partitions", got)
	}
	if !w.left() {
		t.Error("the name is free while its topic is there")
	}
	w.write()
	w.follow("one", false) // a change like any other
	if w.records() != 1 {
		t.Error("a change has emptied the topic")
	}
	w.follow("one", true)
	w.follow("one", true) // told twice
	if w.left() {
		t.Error("something is left of a topic that is deleted")
	}
	w.follow("two", false)
	neighbour.Eventually(t, "the topic to be there", func() bool { return w.partitions() == 2 })
	if got := w.records(); got != 0 {
		t.Errorf("an application that was made anew has %d events of the earlier one", got)
	}
	w.write()
	w.follow("one", true) // told once more, late
	if w.records() != 1 {
		t.Error("the end of the earlier application has taken the topic of the new one")
	}
}

func TestTopicOfSomebodyElseStays(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	if _, err := kadm.NewClient(w.client).CreateTopic(t.Context(), 1, 1, nil, w.topic()); err != nil {
		t.Fatal(err)
	}
	w.write()
	w.follow("one", false)
	w.follow("one", true)
	w.follow("two", false)
	if w.partitions() != 1 || w.records() != 1 {
		t.Errorf("%d partitions, %d records", w.partitions(), w.records())
	}
}

func TestNothingIsMade(t *testing.T) {
	c := DefaultConfig()
	c.Make = false
	w := newWorld(t, c)
	w.follow("one", false)
	if w.partitions() != 0 {
		t.Error("a topic was made")
	}
}

// TestImpossible has Kafka refuse for good: others must not wait for that.
func TestImpossible(t *testing.T) {
	c := DefaultConfig()
	c.Replication = 7 // of one broker
	w := newWorld(t, c)
	if err := w.Follow(t.Context(), registry.Change{Kind: registry.ApplicationChanged, Application: w.name, UID: "one"}); err != nil {
		t.Error(err)
	}
}

// TestKafkaAway has a change wait.
func TestKafkaAway(t *testing.T) {
	w := newWorld(t, DefaultConfig())
	k := kafka.DefaultConfig()
	port, err := neighbour.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	k.Brokers = []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	away, err := New(DefaultConfig(), k, w.memory, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	change := registry.Change{Kind: registry.ApplicationChanged, Application: w.name, UID: "one"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if away.Follow(ctx, change) == nil {
		t.Error("followed without Kafka")
	}
	w.follow("one", false)
	if w.partitions() == 0 {
		t.Error("the topic was not made later")
	}
}

func TestDeadLetters(t *testing.T) {
	c := DefaultConfig()
	c.Retention = time.Hour
	w := newWorld(t, c)
	dead := event.DeadLetterTopic(w.name)
	if err := w.Ensure(t.Context(), w.name, "one", DeadLetters); err != nil {
		t.Fatal(err)
	}
	if err := w.Ensure(t.Context(), w.name, "one", DeadLetters); err != nil {
		t.Errorf("a second time: %v", err)
	}
	configs, err := kadm.NewClient(w.client).DescribeTopicConfigs(t.Context(), dead)
	if err != nil {
		t.Fatal(err)
	}
	kept := ""
	for _, property := range configs[0].Configs {
		if property.Key == "retention.ms" {
			kept = property.MaybeValue()
		}
	}
	if kept != "3600000" {
		t.Errorf("events are kept for %q ms", kept)
	}
	if err := w.Ensure(t.Context(), w.name, "two", DeadLetters); err == nil {
		t.Error("a later application has the topic of an earlier one")
	}
	w.follow("one", true)
	neighbour.Eventually(t, "the topic to be gone", func() bool {
		found, err := kadm.NewClient(w.client).ListTopics(t.Context(), dead)
		return err == nil && !found.Has(dead)
	})
}
