package feed

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/test/neighbour"
)

// A world is a feed of a Kafka in the process.
type world struct {
	*testing.T
	feed     *Feed
	producer *kgo.Client
	logs     *observer.ObservedLogs
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "events-app"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	producer, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	cluster, err := stream.Connect(kafka.Config{Brokers: broker.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	core, logs := observer.New(zapcore.InfoLevel)
	return &world{t, New(c, cluster, zap.New(core)), producer, logs}
}

func (w *world) produce(records ...*kgo.Record) {
	w.Helper()
	if err := w.producer.ProduceSync(w.Context(), records...).FirstErr(); err != nil {
		w.Fatal(err)
	}
}

// A collector notes the ids of events.
type collector struct {
	mu   sync.Mutex
	ids  []string
	keep []Settlement
	hold bool // settles nothing
}

func (c *collector) take(_ context.Context, e *Event, s Settlement) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range e.Attributes {
		if a.Name == "id" {
			c.ids = append(c.ids, string(a.Value))
		}
	}
	if c.hold {
		c.keep = append(c.keep, s)
		return
	}
	s.Done()
}

func (c *collector) await(t *testing.T, want ...string) {
	t.Helper()
	neighbour.Eventually(t, "events "+strings.Join(want, ", "), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.ids) >= len(want)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.ids); diff != "" {
		t.Error(diff)
	}
}

func numbered(id string, headers ...string) *kgo.Record {
	return valid("", append(headers, "ce_id", id)...)
}

// A record that is no event is skipped, counted and logged with its place, for consumers with a group and without one.
func TestPoisonIsSkipped(t *testing.T) {
	w := newWorld(t, nil)
	for _, group := range []string{"", "g"} {
		c := &collector{}
		s, err := w.feed.Open(t.Context(), Query{Application: "app", Group: group}, c.take)
		if err != nil {
			t.Fatal(err)
		}
		w.produce(numbered("1"), record("poison"), numbered("2"))
		c.await(t, "1", "2")
		s.Close()
	}
	lines := w.logs.FilterMessage("a record is no event and is skipped").All()
	if len(lines) == 0 {
		t.Fatal("no line")
	}
	if m := lines[0].ContextMap(); m["topic"] != "events-app" || m["partition"] != int32(0) || m["offset"] != int64(1) {
		t.Errorf("%v", m)
	}
}

func TestFilteredGroupsAreApart(t *testing.T) {
	w := newWorld(t, nil)
	open := func(f Filter) *collector {
		c := &collector{}
		s, err := w.feed.Open(t.Context(), Query{Application: "app", Group: "g", Filter: f}, c.take)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return c
	}
	all, temp, mine := open(Filter{}), open(Filter{Channel: "temp"}), open(Filter{Device: "d"})
	w.produce(numbered("1", "ce_subject", "temp"), numbered("2", "ce_subject", "other", "ce_device", "d"), numbered("3", "ce_subject", "temp", "ce_device", "d"))
	all.await(t, "1", "2", "3")
	temp.await(t, "1", "3")
	mine.await(t, "2", "3")
}

// What was not settled comes again to the group's next consumer, and what was does not.
func TestGroupContinues(t *testing.T) {
	w := newWorld(t, nil)
	first := &collector{hold: true}
	s, err := w.feed.Open(t.Context(), Query{Application: "app", Group: "g", Limit: 10}, first.take)
	if err != nil {
		t.Fatal(err)
	}
	w.produce(numbered("1"), numbered("2"), numbered("3"))
	first.await(t, "1", "2", "3")
	first.keep[0].Done()
	first.keep[2].Done()
	first.keep[1].Abandon()
	s.Close()
	second := &collector{}
	if s, err = w.feed.Open(t.Context(), Query{Application: "app", Group: "g"}, second.take); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	second.await(t, "2", "3")
}

func TestGroupIDs(t *testing.T) {
	f := func(q Query, want string) {
		t.Helper()
		if got := groupID(&q); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
	f(Query{Application: "plant", Group: "g"}, "plant.g")
	f(Query{Application: "plant", Group: "x.y"}, "plant.x%2Ey") // and not that of y in plant.x
	f(Query{Application: "plant", Group: "g", Filter: Filter{Channel: "a/b"}}, "plant.g/a%2Fb/")
	long := groupID(&Query{Application: "plant", Group: strings.Repeat("g", 150), Filter: Filter{Device: strings.Repeat("d", 200)}})
	if len(long) > maxGroupID || !strings.HasPrefix(long, "plant.") {
		t.Errorf("%s has %d bytes", long, len(long))
	}
}

func TestBounds(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxConsumers, c.MaxReaders = 2, 1 })
	open := func(q Query) error {
		q.Application = "app"
		s, err := w.feed.Open(t.Context(), q, (&collector{}).take)
		if err == nil {
			t.Cleanup(s.Close)
		}
		return err
	}
	if err := open(Query{From: stream.Earliest()}); err != nil {
		t.Fatal(err)
	}
	if err := open(Query{From: stream.Earliest()}); outcome.Of(err) != outcome.Overloaded {
		t.Errorf("a second reader: %v", err)
	}
	if err := open(Query{}); err != nil {
		t.Fatal(err)
	}
	if err := open(Query{}); outcome.Of(err) != outcome.Overloaded {
		t.Errorf("a third consumer: %v", err)
	}
}

// Why the events of an application cannot be read is told to nobody: it may name others.
func TestMissingTopic(t *testing.T) {
	w := newWorld(t, nil)
	for _, group := range []string{"", "g"} {
		_, err := w.feed.Open(t.Context(), Query{Application: "apq", Group: group}, (&collector{}).take)
		if r := outcome.ResultOf(err); r.Outcome != outcome.Unavailable || strings.Contains(r.Reason, "mean") {
			t.Errorf("%q: %+v", group, r)
		}
	}
	if consumers, readers := w.feed.count(); consumers != 0 || readers != 0 {
		t.Errorf("%d consumers, %d readers", consumers, readers)
	}
}
