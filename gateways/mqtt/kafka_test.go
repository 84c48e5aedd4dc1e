package mqtt

import (
	"context"
	"strconv"
	"testing"

	v3 "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
)

// Through Kafka's client and a broker that speaks its protocol: what is acknowledged is there, in the order of publishing,
// however many messages are in flight.
func TestAcknowledgedMessagesAreInKafkaInOrder(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "events-app"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c := kafka.DefaultConfig()
	c.Brokers = cluster.ListenAddrs()
	producer, err := kafka.NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(func(c *Config) { c.MaxInFlight = 50 }) // fewer than are published at once
	f.pipeline = ingest.New(ingest.DefaultConfig(), producer)
	at := start(t, f.Gateway, protocol.Listeners{})

	const messages = 500
	device := connected3(t, at.TCP, nil)
	var tokens []v3.Token
	for i := range messages {
		tokens = append(tokens, device.Publish("number/device", 1, false, strconv.Itoa(i)))
	}
	for i, token := range tokens {
		if err := done(t, token); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("events-app"))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	for next := 0; next < messages; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d messages: %v", next, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) != strconv.Itoa(next) || header(r, "ce_subject") != "number" {
				t.Errorf("message %s where %d is due", r.Value, next)
			}
			next++
		})
	}
	if err := producer.Close(ctx); err != nil {
		t.Error(err)
	}
}
