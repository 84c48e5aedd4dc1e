//go:build integration

package topics

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/neighbour"
)

// login makes a client of an application's user.
func login(t *testing.T, k *neighbour.Kafka, application, password string, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	as := scram.Auth{User: UserName(application), Pass: password}
	client, err := kgo.NewClient(append(more, kgo.SeedBrokers(k.UserBrokers()...), kgo.SASL(as.AsSha512Mechanism()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// read reads the first record of a topic as a user; an empty group is none.
func read(t *testing.T, k *neighbour.Kafka, application, password, topic, group string) (string, error) {
	t.Helper()
	options := []kgo.Opt{kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	if group != "" {
		options = append(options, kgo.ConsumerGroup(group))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	fetches := login(t, k, application, password, options...).PollFetches(ctx)
	if records := fetches.Records(); len(records) > 0 {
		return string(records[0].Value), nil
	}
	return "", fetches.Err()
}

// A user reads the topic of its application, with groups of the application, and nothing else; and not with an earlier password.
func TestUserReadsItsOwnTopicOnly(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	k, err := neighbour.StartKafka(ctx, neighbour.KafkaFastStart(), neighbour.KafkaUsers())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	config := kafka.DefaultConfig()
	config.Brokers = k.Brokers()
	users, err := NewUsers(config)
	if err != nil {
		t.Fatal(err)
	}
	defer users.Close()
	producer, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for _, application := range []string{"plant", "other"} {
		if err := k.CreateTopic(ctx, event.Topic(application), 1); err != nil {
			t.Fatal(err)
		}
		if err := producer.ProduceSync(ctx, &kgo.Record{Topic: event.Topic(application), Value: []byte("of " + application)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := users.Exists(ctx, "plant"); err != nil || there {
		t.Errorf("before: %v, %v", there, err)
	}
	if err := users.Remove(ctx, "plant"); err != nil {
		t.Errorf("removing nobody: %v", err)
	}
	for range 2 { // doing it again changes nothing
		if err := users.SetPassword(ctx, "plant", "secret-1"); err != nil {
			t.Fatal(err)
		}
		if err := users.Permit(ctx, "plant"); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := users.Exists(ctx, "plant"); err != nil || !there {
		t.Errorf("after: %v, %v", there, err)
	}
	reads := func(password, topic, group, want string, refused error) {
		t.Helper()
		neighbour.Eventually(t, "what was changed to be heard of", func() bool {
			got, err := read(t, k, "plant", password, topic, group)
			return got == want && (refused == nil) == (err == nil) && (refused == nil || errors.Is(err, refused))
		})
	}
	own, other := event.Topic("plant"), event.Topic("other")
	reads("secret-1", own, "", "of plant", nil)
	reads("secret-1", own, "plant.readers", "of plant", nil)
	reads("secret-1", other, "", "", kerr.TopicAuthorizationFailed)
	reads("secret-1", own, "other.readers", "", kerr.GroupAuthorizationFailed)
	writing := login(t, k, "plant", "secret-1").ProduceSync(ctx, &kgo.Record{Topic: own, Value: []byte("forged")}).FirstErr()
	if writing == nil {
		t.Error("it may write")
	}
	if err := login(t, k, "plant", "wrong").Ping(ctx); !errors.Is(err, kerr.SaslAuthenticationFailed) {
		t.Errorf("a wrong password: %v", err)
	}
	admitted := func(password string, want bool) {
		t.Helper()
		neighbour.Eventually(t, "another password to count", func() bool { return (login(t, k, "plant", password).Ping(ctx) == nil) == want })
	}
	if err := users.SetPassword(ctx, "plant", "secret-2"); err != nil {
		t.Fatal(err)
	}
	admitted("secret-2", true)
	admitted("secret-1", false)
	if err := users.Remove(ctx, "plant"); err != nil {
		t.Fatal(err)
	}
	admitted("secret-2", false)
}
