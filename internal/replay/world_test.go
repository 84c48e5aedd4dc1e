package replay

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/triggers"
)

const application = "app"

// A world is a Kafka in the process with the topics of an application, and a subscriber.
type world struct {
	*testing.T
	*Client
	producer   *kgo.Client
	subscriber *subscriber
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, event.Topic(application), event.DeadLetterTopic(application)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	config := kafka.DefaultConfig()
	config.Brokers = cluster.ListenAddrs()
	client, err := Connect(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	producer, err := kafka.NewClient(config, kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	return &world{t, client, producer, newSubscriber(t)}
}

func (w *world) produce(records ...*kgo.Record) {
	w.Helper()
	if err := w.producer.ProduceSync(w.Context(), records...).FirstErr(); err != nil {
		w.Fatal(err)
	}
}

// record is an event with that id.
func record(topic, id string, partition int32, more ...string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(id)}
	all := append([]string{"ce_specversion", "1.0", "ce_id", id, "ce_type", "t", "ce_source", "/s", "content-type", "text/plain"}, more...)
	for pair := range slices.Chunk(all, 2) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: pair[0], Value: []byte(pair[1])})
	}
	return r
}

// events produces events 0 to n-1, in turns to both partitions.
func (w *world) events(n int) {
	w.Helper()
	var all []*kgo.Record
	for i := range n {
		all = append(all, record(event.Topic(application), fmt.Sprint(i), int32(i%2)))
	}
	w.produce(all...)
}

// letter is an event that a subscriber refused.
func letter(id, subscriber, code, reason string, more ...string) *kgo.Record {
	headers := append([]string{"ce_knativeerrordest", subscriber}, more...)
	if code != "" {
		headers = append(headers, "ce_knativeerrorcode", code, "ce_knativeerrordata", base64.StdEncoding.EncodeToString([]byte(reason)))
	}
	return record(event.DeadLetterTopic(application), id, 0, headers...)
}

func (w *world) to() dispatch.Subscription {
	return dispatch.Subscription{Name: "replay", Subscriber: w.subscriber.URL, Policy: triggers.Policy{
		Retries: 1, BackoffPolicy: triggers.BackoffExponential, BackoffDelay: time.Millisecond, Timeout: time.Minute,
	}}
}

// kept tells under which names positions are kept.
func (w *world) kept() []string {
	w.Helper()
	groups, err := kadm.NewClient(w.producer).ListGroups(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return groups.Groups()
}

// A subscriber notes the ids of what it takes.
type subscriber struct {
	*httptest.Server
	status func(id string) int // nil: takes all

	mu  sync.Mutex
	got []string
	all []http.Header
}

func newSubscriber(t *testing.T) *subscriber {
	s := &subscriber{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		id, status := r.Header.Get("Ce-Id"), http.StatusOK
		s.mu.Lock()
		judge := s.status
		s.mu.Unlock()
		if judge != nil {
			status = judge(id)
		}
		if status == http.StatusOK {
			s.mu.Lock()
			s.got, s.all = append(s.got, id), append(s.all, r.Header.Clone())
			s.mu.Unlock()
		}
		w.WriteHeader(status)
		fmt.Fprint(w, "an answer that is no event")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *subscriber) judge(status func(id string) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// taken are the ids of what it took, in order.
func (s *subscriber) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func sorted(ids []string) []string {
	slices.Sort(ids)
	return ids
}
