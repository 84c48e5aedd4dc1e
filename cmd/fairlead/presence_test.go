package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/test/neighbour"
)

// connect logs the example's device in over MQTT, with a will.
func connect(t *testing.T, n devcloud.Note) paho.Client {
	t.Helper()
	options := paho.NewClientOptions().AddBroker(strings.Replace(n.MQTT, "mqtt://", "tcp://", 1)).
		SetUsername(n.Example.Username).SetPassword(n.Example.Password).SetClientID("c").
		SetAutoReconnect(false).SetConnectTimeout(time.Minute).
		SetWill("gone", `"a will"`, 1, false)
	client := paho.NewClient(options)
	if token := client.Connect(); token.WaitTimeout(time.Minute) && token.Error() != nil {
		t.Fatal(token.Error())
	}
	return client
}

// follow reads the values of the records of the example's topic, each event once: after a kill, one may be stored twice, with
// the same id.
func follow(t *testing.T, broker string) (values func() []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics("events-example-app"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	var all []string
	seen := map[string]bool{}
	return func() []string {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			for _, header := range r.Headers {
				if header.Key == "ce_id" && !seen[string(header.Value)] {
					seen[string(header.Value)] = true
					all = append(all, string(r.Value))
				}
			}
		})
		return all
	}
}

const online, offline, will = `{"connected":true}`, `{"connected":false}`, `"a will"`

func TestSessionsOfAKilledProcessEnd(t *testing.T) {
	data, triggers := t.TempDir(), t.TempDir()
	p := launch(t, onFreePorts(data, "--triggers", triggers))
	n := note(t, data, p.command.Process.Pid)
	connect(t, n)
	values := follow(t, n.Kafka[0])
	neighbour.Eventually(t, "the connection event", func() bool { return strings.Join(values(), " ") == online })
	p.end(os.Kill)

	p = launch(t, onFreePorts(data, "--triggers", triggers))
	n = note(t, data, p.command.Process.Pid)
	values = follow(t, n.Kafka[0])
	want := strings.Join([]string{online, will, offline}, " ")
	neighbour.Eventually(t, "the end of the session", func() bool { return strings.Join(values(), " ") == want })
	if text := p.out.String(); !strings.Contains(text, "was killed") || !strings.Contains(text, "(1)") {
		t.Errorf("it said %q", text)
	}
	if status := p.end(syscall.SIGTERM); status != 0 {
		t.Errorf("status %d: %s", status, p.out.String())
	}

	// An orderly end has ended everything: the next start has nothing to say.
	p = launch(t, onFreePorts(data, "--triggers", triggers))
	note(t, data, p.command.Process.Pid)
	if text := p.out.String(); strings.Contains(text, "was killed") {
		t.Errorf("after an orderly end it said %q", text)
	}
	p.end(syscall.SIGTERM)
}

func TestADeviceThatIsBackAtOnceAfterAKillIsOnline(t *testing.T) {
	data, triggers := t.TempDir(), t.TempDir()
	p := launch(t, onFreePorts(data, "--triggers", triggers))
	n := note(t, data, p.command.Process.Pid)
	connect(t, n)
	values := follow(t, n.Kafka[0])
	neighbour.Eventually(t, "the connection event", func() bool { return strings.Join(values(), " ") == online })
	p.end(os.Kill)

	p = launch(t, onFreePorts(data, "--triggers", triggers))
	n = note(t, data, p.command.Process.Pid)
	connect(t, n)
	values = follow(t, n.Kafka[0])
	neighbour.Eventually(t, "both sessions in order", func() bool {
		all, _ := json.Marshal(values())
		want, _ := json.Marshal([]string{online, will, offline, online})
		return string(all) == string(want)
	})
}
