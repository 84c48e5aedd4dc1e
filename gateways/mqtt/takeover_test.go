package mqtt

import (
	"context"
	"slices"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/eclipse/paho.golang/paho"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/ingest"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/presence"
)

// tracked gives a gateway the presences of a Redis and the Kafka of another gateway.
func (f *fixture) tracked(t *testing.T, address string, kafka *recordWriter) *presence.Tracker {
	t.Helper()
	f.writer = kafka
	f.pipeline = ingest.New(ingest.DefaultConfig(), kafka)
	client := redis.NewClient(&redis.Options{Addr: address})
	tracker, err := presence.New(presence.DefaultConfig(), client, "test", f.pipeline, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.presences = trackerPresences{tracker}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tracker.Run(ctx)
	}()
	t.Cleanup(func() {
		if err := tracker.Close(context.Background()); err != nil {
			t.Error(err)
		}
		stop()
		<-done
		_ = client.Close()
	})
	return tracker
}

// story is what Kafka has, in short: connected, gone, or the channel of a message.
func story(records []*kgo.Record) (told []string) {
	for _, r := range records {
		switch {
		case header(r, "ce_type") != event.TypeConnection:
			told = append(told, header(r, "ce_subject"))
		case string(r.Value) == `{"connected":true}`:
			told = append(told, "connected")
		case string(r.Value) == `{"connected":false}`:
			told = append(told, "gone")
		default:
			told = append(told, string(r.Value))
		}
	}
	return told
}

// A device that connects to another gateway has one session: the old one is told, and ends before the new one begins.
func TestTakeoverBetweenGateways(t *testing.T) {
	mini := miniredis.RunT(t)
	kafka := &recordWriter{}
	first, second := newFixture(nil), newFixture(nil)
	first.tracked(t, mini.Addr(), kafka)
	second.tracked(t, mini.Addr(), kafka)
	atFirst, atSecond := start(t, first.Gateway, protocol.Listeners{}), start(t, second.Gateway, protocol.Listeners{})

	old := tcp5(t, atFirst.TCP)
	p := login5()
	p.WillMessage = &paho.WillMessage{Topic: "will", Payload: []byte("bye")}
	if got := old.connect5(t, p); got.ReasonCode != 0 {
		t.Fatalf("CONNACK %#x", got.ReasonCode)
	}
	old.publish5(t, &paho.Publish{Topic: "one"})
	heir := connected5(t, atSecond.TCP)
	if d := soon(t, "DISCONNECT", old.left); d.ReasonCode != 0x8E {
		t.Errorf("DISCONNECT %#x", d.ReasonCode)
	}
	heir.publish5(t, &paho.Publish{Topic: "two"})
	if err := heir.Client.Disconnect(&paho.Disconnect{}); err != nil {
		t.Error(err)
	}
	want := []string{"connected", "one", "will", "gone", "connected", "two", "gone"}
	eventually(t, "the whole story", func() bool { return len(kafka.all()) >= len(want) })
	if got := story(kafka.all()); !slices.Equal(got, want) {
		t.Errorf("Kafka has %q, want %q", got, want)
	}
	for _, r := range kafka.all() {
		if header(r, "ce_device") != "device" || header(r, "ce_deviceuid") != "uid-device" || header(r, "ce_sender") != "device" || string(r.Key) != "app/device" {
			t.Errorf("%s about %q of %q", header(r, "ce_subject"), header(r, "ce_device"), header(r, "ce_sender"))
		}
	}
}

// The same device, over and over, at one gateway: by another name, too.
func TestTakeoverWithinAGateway(t *testing.T) {
	mini := miniredis.RunT(t)
	kafka := &recordWriter{}
	f := newFixture(nil)
	f.documents.putDevice("app", "device", "uid-device", `{"alias":["nick"],"authentication":{"credentials":[{"pass":"secret"}]}}`)
	f.tracked(t, mini.Addr(), kafka)
	at := start(t, f.Gateway, protocol.Listeners{})
	var last *client5
	for _, name := range []string{"device", "nick", "device", "nick"} {
		c := tcp5(t, at.TCP)
		p := login5()
		p.Username = name + "@app"
		if got := c.connect5(t, p); got.ReasonCode != 0 {
			t.Fatalf("CONNACK %#x", got.ReasonCode)
		}
		if last != nil {
			if d := soon(t, "DISCONNECT", last.left); d.ReasonCode != 0x8E {
				t.Errorf("DISCONNECT %#x", d.ReasonCode)
			}
		}
		last = c
	}
	_ = last.link.Close()
	want := []string{"connected", "gone", "connected", "gone", "connected", "gone", "connected", "gone"}
	eventually(t, "the whole story", func() bool { return len(kafka.all()) >= len(want) })
	if got := story(kafka.all()); !slices.Equal(got, want) {
		t.Errorf("Kafka has %q, want %q", got, want)
	}
}

// While presences cannot be kept, sessions go on and new ones are told to come later.
func TestPresenceAway(t *testing.T) {
	mini := miniredis.RunT(t)
	f := newFixture(nil)
	f.tracked(t, mini.Addr(), &recordWriter{})
	at := start(t, f.Gateway, protocol.Listeners{})
	c := connected5(t, at.TCP)
	mini.SetError("LOADING Redis is loading the dataset in memory")
	if got := tcp5(t, at.TCP).connect5(t, login5()); got.ReasonCode != 0x88 {
		t.Errorf("CONNACK %#x", got.ReasonCode)
	}
	if got := c.publish5(t, &paho.Publish{Topic: "still"}); got != 0 {
		t.Errorf("a session that was there: PUBACK %#x", got)
	}
	mini.SetError("")
}
