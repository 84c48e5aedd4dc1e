//go:build integration

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/neighbour"
)

func startKafka(t *testing.T) *neighbour.Kafka {
	t.Helper()
	server, err := neighbour.StartKafka(t.Context(), neighbour.KafkaFastStart())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func TestWhatWasRefusedIsRedeliveredFromKafka(t *testing.T) {
	brokers := startKafka(t).Brokers()
	fill(t, brokers, 0) // a Trigger begins at the end of the topic as it finds it
	breakAndMend(t, "--kafka-brokers", brokers[0])
}

// TestReplayThatIsKilledLosesNothing kills a replay in the middle, twice, and has it go on.
func TestReplayThatIsKilledLosesNothing(t *testing.T) {
	const all = 3000
	brokers := startKafka(t).Brokers()
	fill(t, brokers, all)
	p := newPicky(t)
	p.mend()
	arguments := []string{
		"replay", "example-app", "--kafka-brokers", brokers[0], "--from", "start", "--to", p.URL, "--resume", "copy", "--parallel", "4", "--rate", "1500",
	}
	done := int64(0)
	for _, part := range []int64{all / 3, all / 2} {
		run := launch(t, arguments)
		neighbour.Eventually(t, "a part of the events", func() bool {
			done = kept(t, brokers)
			return done >= part
		})
		run.end(os.Kill)
	}
	status, out, problems := command(t.Context(), arguments...)
	if status != 0 || !strings.Contains(problems, "going on where copy ended") {
		t.Fatalf("status %d, %q, %q", status, out, problems)
	}
	var last int64
	if _, err := fmt.Sscanf(strings.ReplaceAll(out, ",", ""), "replayed %d events", &last); err != nil || last > all-done {
		t.Errorf("%d were done before the last run, which says %q", done, out)
	}
	for i := range all {
		if p.got[fmt.Sprint(i)] == 0 {
			t.Errorf("event %d is lost", i)
		}
	}
}

// kept is how many events the position of the replay says are done at least.
func kept(t *testing.T, brokers []string) (n int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	offsets, err := kadm.NewClient(client).FetchOffsets(t.Context(), "fairlead-replay:example-app:copy")
	if err != nil {
		return 0 // not yet
	}
	offsets.Each(func(o kadm.OffsetResponse) { n += max(0, o.At) })
	return n
}

// fill makes the topic of the application and numbered events in it.
func fill(t *testing.T, brokers []string, all int) {
	t.Helper()
	config := kafka.DefaultConfig()
	config.Brokers = brokers
	topic := event.Topic("example-app")
	if err := kafka.EnsureTopics(t.Context(), config, 3, topic); err != nil {
		t.Fatal(err)
	}
	producer, err := kafka.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	var records []*kgo.Record
	for i := range all {
		e := event.Event{ID: fmt.Sprint(i), Type: "io.drogue.event.v1", DataContentType: "text/plain", Data: fmt.Append(nil, i)}
		e.Origin.Application, e.Origin.Device, e.Origin.Sender = "example-app", fmt.Sprint("device", i%50), fmt.Sprint("device", i%50)
		records = append(records, e.Record(topic))
	}
	if err := producer.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
