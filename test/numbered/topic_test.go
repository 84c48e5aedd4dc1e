package numbered

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topic = "events"

// broker starts a broker whose topic has three partitions, with these records.
func broker(t *testing.T, records ...*kgo.Record) (context.Context, []string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return ctx, cluster.ListenAddrs()
}

func record(partition int32, device string, body string) *kgo.Record {
	return &kgo.Record{
		Partition: partition,
		Value:     []byte(body),
		Headers:   []kgo.RecordHeader{{Key: "ce_id", Value: []byte("x")}, {Key: deviceHeader, Value: []byte(device)}},
	}
}

func numberedRecord(partition int32, m Message) *kgo.Record {
	return record(partition, m.Device, string(m.Body()))
}

func TestReadTopic(t *testing.T) {
	ctx, brokers := broker(t)
	if got, err := ReadTopic(ctx, brokers, topic); err != nil || len(got) > 0 {
		t.Errorf("an empty topic: %v, %v", got, err)
	}
	ctx, brokers = broker(t,
		numberedRecord(2, Message{"b", 1}), numberedRecord(0, Message{"a", 1}), numberedRecord(2, Message{"b", 2}), numberedRecord(0, Message{"a", 2}))
	got, err := ReadTopic(ctx, brokers, topic)
	if err != nil {
		t.Fatal(err)
	}
	want := []Stored{
		{Message{"a", 1}, 0, 0}, {Message{"a", 2}, 0, 1},
		{Message{"b", 1}, 2, 0}, {Message{"b", 2}, 2, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestReadTopicRefusesWhatIsNotNumbered(t *testing.T) {
	f := func(r *kgo.Record, want string) {
		t.Helper()
		ctx, brokers := broker(t, numberedRecord(1, Message{"a", 1}), r)
		_, err := ReadTopic(ctx, brokers, topic)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	f(record(1, "a", "21.5"), "partition 1, offset 1")
	f(record(1, "a", `{"device":"a"}`), "device or number is missing")
	f(record(1, "b", `{"device":"a","number":2}`), "a message of a is stored as one of b")
	f(&kgo.Record{Value: Message{"a", 2}.Body()}, "no header ce_device")
}

func TestReadTopicThatIsNotThere(t *testing.T) {
	ctx, brokers := broker(t)
	if _, err := ReadTopic(ctx, brokers, "nowhere"); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v", err)
	}
}
