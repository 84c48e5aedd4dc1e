package kafka

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/fairlead/fairlead/internal/outcome"
)

func cluster(t *testing.T, options ...kfake.Opt) (*kfake.Cluster, Config) {
	t.Helper()
	c, err := kfake.NewCluster(append(options, kfake.NumBrokers(1), kfake.SeedTopics(1, "events-x"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	config := DefaultConfig()
	config.Brokers = c.ListenAddrs()
	return c, config
}

func producer(t *testing.T, c Config) *Producer {
	t.Helper()
	p, err := NewProducer(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Close(ctx)
	})
	return p
}

func send(p *Producer, topic, value string) error {
	answer := make(chan error, 1)
	p.Write(context.Background(), &kgo.Record{Topic: topic, Value: []byte(value)}, func(err error) { answer <- err })
	return <-answer
}

func TestWriteAnswersWhenStored(t *testing.T) {
	_, config := cluster(t)
	p := producer(t, config)
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := send(p, "events-x", "1"); err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(config, kgo.ConsumeTopics("events-x"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if records := client.PollFetches(t.Context()).Records(); len(records) != 1 || string(records[0].Value) != "1" {
		t.Errorf("stored %v", records)
	}
}

func TestWriteToAMissingTopicIsUnavailable(t *testing.T) {
	_, config := cluster(t)
	config.DeliveryTimeout = 2 * time.Second
	if err := send(producer(t, config), "events-other", "1"); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("outcome %v of %v", outcome.Of(err), err)
	}
}

func TestWriteToASilentBrokerIsUnavailableInTime(t *testing.T) {
	c, config := cluster(t)
	config.DeliveryTimeout = 3 * time.Second // by then the record has reached the broker
	held := make(chan struct{})
	defer close(held)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() { <-held })
		return nil, nil, false
	})
	if err := send(producer(t, config), "events-x", "1"); !errors.Is(err, errOverdue) || outcome.Of(err) != outcome.Unavailable {
		t.Errorf("outcome %v of %v", outcome.Of(err), err)
	}
}

// A broker that has gone silent does not keep a process from ending once nobody waits for it.
func TestCloseDoesNotWaitForWhatIsOverdue(t *testing.T) {
	c, config := cluster(t)
	config.DeliveryTimeout = time.Second
	held := make(chan struct{})
	defer close(held)
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() { <-held })
		return nil, nil, false
	})
	for _, overdue := range []bool{false, true} {
		p, err := NewProducer(config)
		if err != nil {
			t.Fatal(err)
		}
		answer := make(chan error, 1)
		p.Write(t.Context(), &kgo.Record{Topic: "events-x"}, func(err error) { answer <- err })
		if overdue {
			answer <- <-answer
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("already overdue %v: Close() = %v", overdue, err)
		}
		if err := <-answer; !errors.Is(err, errOverdue) {
			t.Errorf("already overdue %v: the record's answer is %v", overdue, err)
		}
	}
}

func TestWriteBeyondTheBoundIsOverloaded(t *testing.T) {
	c, config := cluster(t)
	config.MaxRecords = 1
	held := make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.SleepControl(func() { <-held })
		return nil, nil, false
	})
	p := producer(t, config)
	first := make(chan error, 1)
	p.Write(t.Context(), &kgo.Record{Topic: "events-x"}, func(err error) { first <- err })
	if err := send(p, "events-x", "2"); outcome.Of(err) != outcome.Overloaded {
		t.Errorf("outcome %v of %v", outcome.Of(err), err)
	}
	close(held)
	if err := <-first; err != nil {
		t.Errorf("the record within the bound: %v", err)
	}
}

func TestReadySaysNo(t *testing.T) {
	c, config := cluster(t)
	p := producer(t, config)
	c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if p.Ready(ctx) == nil {
		t.Error("ready without a broker")
	}
}

func TestClassify(t *testing.T) {
	f := func(err error, want outcome.Outcome) {
		t.Helper()
		if got := outcome.Of(classify(err)); got != want {
			t.Errorf("classify(%v) = %v, want %v", err, got, want)
		}
	}
	f(nil, outcome.Accepted)
	f(kgo.ErrMaxBuffered, outcome.Overloaded)
	f(kerr.MessageTooLarge, outcome.TooLarge)
	f(kerr.NotEnoughReplicas, outcome.Unavailable)
	f(kgo.ErrRecordTimeout, outcome.Unavailable)
	f(context.Canceled, outcome.Unavailable)
}

func TestSecretOptions(t *testing.T) {
	f := func(files map[string]string, want string) {
		t.Helper()
		dir := t.TempDir()
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := (&Config{SecretDir: dir}).options()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("options of %v: %v, want %q", files, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
	f(map[string]string{"protocol": "PLAINTEXT"}, "")
	f(map[string]string{"protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512\n", "user": "u", "password": "hunter2"}, "")
	f(map[string]string{"protocol": "SASL_PLAINTEXT", "sasl.mechanism": "hunter2"}, "sasl.mechanism")
	f(map[string]string{"protocol": "hunter2"}, "protocol")
	f(map[string]string{"protocol": "SSL", "ca.crt": "hunter2"}, "ca.crt")
	f(map[string]string{"protocol": "SSL", "user.crt": "hunter2", "user.key": "hunter2"}, "user.crt")
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		c.Brokers = []string{"localhost:9092"}
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("Validate() = %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Brokers = nil }, "brokers")
	f(func(c *Config) { c.DeliveryTimeout = time.Minute }, "deliveryTimeout")
	f(func(c *Config) { c.Linger = -1 }, "linger")
	f(func(c *Config) { c.MaxRecords = 0 }, "maxRecords")
	f(func(c *Config) { c.MaxBytes = 1 }, "maxBytes")
}
