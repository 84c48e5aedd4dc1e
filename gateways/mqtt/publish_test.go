package mqtt

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
)

func TestPublish(t *testing.T) {
	f := newFixture(nil)
	s, _ := f.connected(t)
	got := published(t, s, packet.Publish{
		Topic: "temp", QoS: 1, Retain: true, Payload: []byte(`{"t": 1}`), ContentType: "application/json; charset=utf-8",
		UserProperties: packet.UserProperties{}.Append("batch", "7").Append("sender", "forged").Append("Not-Legal", "x"),
	})
	if got.Reason != packet.Success {
		t.Fatalf("answer %+v", got)
	}
	r := f.writer.all()[0]
	for name, want := range map[string]string{
		"ce_type": "io.drogue.event.v1", "ce_subject": "temp", "ce_application": "app", "ce_applicationuid": "uid-app",
		"ce_device": "device", "ce_deviceuid": "uid-device", "ce_sender": "device", "ce_senderuid": "uid-device",
		"content-type": "application/json", "ce_batch": "7", "ce_Not-Legal": "", "ce_partitionkey": "app/device",
	} {
		if got := header(r, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if string(r.Value) != `{"t":1}` || r.Topic != "events-app" {
		t.Errorf("%q in %s", r.Value, r.Topic)
	}
}

func TestPublishOnBehalf(t *testing.T) {
	f := func(d registry.Dialect, topic, wantDevice, wantChannel string) {
		t.Helper()
		fx := newFixture(nil)
		s, _ := fx.connected(t)
		s.dialect = d
		if got := published(t, s, packet.Publish{Topic: topic}); got.Reason != packet.Success {
			t.Errorf("%q: %+v", topic, got)
			return
		}
		r := fx.writer.all()[0]
		if device, channel, sender := header(r, "ce_device"), header(r, "ce_subject"), header(r, "ce_sender"); device != wantDevice || channel != wantChannel || sender != "device" {
			t.Errorf("%q: device %q, channel %q, sender %q", topic, device, channel, sender)
		}
	}
	f(registry.DrogueV1, "temp", "device", "temp")
	f(registry.DrogueV1, "temp/device", "device", "temp")
	f(registry.DrogueV1, "temp/other", "other", "temp")
	f(registry.DrogueV1, "temp/second name", "other", "temp")
	f(registry.PlainTopic, "temp/other", "device", "temp/other")
	f(registry.PlainTopicWithDevice, "other/a/b", "other", "a/b")
	f(registry.PlainTopicWithDevice, "device/a/b", "device", "a/b")
	f(registry.PlainTopicWithDevice, "/a/b", "device", "a/b")
}

func TestPublishRefuses(t *testing.T) {
	f := func(p packet.Publish, want packet.Reason) {
		t.Helper()
		fx := newFixture(nil)
		s, _ := fx.connected(t)
		if got := published(t, s, p); got.Reason != want {
			t.Errorf("%q: %+v, want %v", p.Topic, got, want)
		}
		if len(fx.writer.all()) != 0 {
			t.Errorf("%q: stored", p.Topic)
		}
		if messages, bytes := fx.budget.Spent(); messages != 0 || bytes != 0 {
			t.Errorf("%q: %d messages, %d bytes are still spent", p.Topic, messages, bytes)
		}
	}
	f(packet.Publish{Topic: "a/b/c"}, packet.TopicNameInvalid)
	f(packet.Publish{Topic: "/device"}, packet.TopicNameInvalid)
	f(packet.Publish{Topic: strings.Repeat("x", 2000)}, packet.TopicNameInvalid)
	f(packet.Publish{Topic: "temp/stranger"}, packet.NotAuthorized)
	f(packet.Publish{Topic: "temp/nobody"}, packet.NotAuthorized)
	f(packet.Publish{Topic: "temp/"}, packet.NotAuthorized)
	f(packet.Publish{Topic: "temp", ContentType: "application/json", Payload: []byte("{")}, packet.PayloadFormatInvalid)
	f(packet.Publish{Topic: "temp", ContentType: strings.Repeat("x", 300)}, packet.UnspecifiedError)
	f(packet.Publish{Topic: "temp", Payload: make([]byte, 64<<10+1)}, packet.UnspecifiedError)
}

func TestPublishReportsKafka(t *testing.T) {
	f := func(o outcome.Outcome, want packet.Reason) {
		t.Helper()
		fx := newFixture(nil)
		s, _ := fx.connected(t)
		fx.writer.err = outcome.New(o, "the reason")
		if got := published(t, s, packet.Publish{Topic: "temp"}); got != (protocol.Answer{Reason: want, Text: "the reason", Final: o.Final()}) {
			t.Errorf("%v: %+v, want %v", o, got, want)
		}
	}
	f(outcome.Overloaded, packet.QuotaExceeded)
	f(outcome.Unavailable, packet.ImplementationSpecificError)
	f(outcome.TooLarge, packet.UnspecifiedError)
	f(outcome.Rejected, packet.PayloadFormatInvalid)
	f(outcome.Dropped, packet.Success)
	f(outcome.Internal, packet.UnspecifiedError)
}

// Nobody hears that a message is accepted before Kafka has it.
func TestAcceptedMeansStored(t *testing.T) {
	f := newFixture(nil)
	s, _ := f.connected(t)
	f.writer.held = true
	answered := false
	s.Publish(&packet.Publish{Topic: "temp"}, func(protocol.Answer) { answered = true })
	if answered {
		t.Error("answered without an acknowledgement")
	}
	f.writer.release()
	if !answered {
		t.Error("not answered")
	}
}

// The packet's buffer is used again as soon as Publish returns.
func TestPublishKeepsNothingOfThePacket(t *testing.T) {
	f := newFixture(nil)
	s, _ := f.connected(t)
	f.writer.held = true
	body := []byte("xxxxxxxx")
	s.Publish(&packet.Publish{Topic: "temp", ContentType: "text/plain", Payload: body}, func(protocol.Answer) {})
	clear(body)
	if got := f.writer.all()[0].Value; string(got) != "xxxxxxxx" {
		t.Errorf("stored %q", got)
	}
}

func TestPublishBlocksWhenTooMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(func(c *Config) { c.MaxInFlight = 3 })
		s, _ := f.connected(t)
		other, err := logIn(t.Context(), f.Gateway, newPeer(), login())
		if err != nil {
			t.Fatal(err)
		}
		f.writer.held = true
		var answered int
		publish := func(s *session) {
			for i := range 4 {
				s.Publish(&packet.Publish{Topic: strconv.Itoa(i)}, func(protocol.Answer) { answered++ })
			}
		}
		go publish(s)
		synctest.Wait()
		go publish(other)
		synctest.Wait()
		if got := len(f.writer.all()); got != 3 {
			t.Errorf("%d messages on their way, want 3", got)
		}
		for range 3 {
			f.writer.release()
			synctest.Wait()
		}
		if answered != 8 || len(f.writer.all()) != 8 {
			t.Errorf("%d answered, %d stored", answered, len(f.writer.all()))
		}
		var topics []string
		for _, r := range f.writer.all()[:4] {
			topics = append(topics, header(r, "ce_subject"))
		}
		if got := strings.Join(topics, ""); got != "0123" && got != "0120" {
			t.Errorf("order %s", got)
		}
	})
}

// A gateway's right is asked for with each message.
func TestWithdrawnRight(t *testing.T) {
	f := newFixture(nil)
	s, _ := f.connected(t)
	if got := published(t, s, packet.Publish{Topic: "temp/other"}); got.Reason != packet.Success {
		t.Fatalf("%+v", got)
	}
	f.documents.putDevice("app", "other", "uid-other", `{"gatewaySelector":{"matchNames":["another"]}}`)
	f.changed("app", "other")
	if got := published(t, s, packet.Publish{Topic: "temp/other"}); got.Reason != packet.NotAuthorized {
		t.Errorf("%+v", got)
	}
	f.documents.setAway(true)
	f.changed("app", "other")
	if got := published(t, s, packet.Publish{Topic: "temp/other"}); got.Reason != packet.ImplementationSpecificError {
		t.Errorf("while nobody can be asked: %+v", got)
	}
}
