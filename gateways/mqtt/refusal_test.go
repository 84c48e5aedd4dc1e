package mqtt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// TestReportsRefusedMessages looks at what the operator is told, in the words of either version.
func TestReportsRefusedMessages(t *testing.T) {
	f := newFixture(nil)
	var got []refusal.Report
	f.pipeline.ReportTo(refusal.NewLog(nil, func(r refusal.Report) { got = append(got, r) }))
	s, client := f.connected(t)
	check := func(p packet.Publish, want ...refusal.Report) {
		t.Helper()
		got = nil
		published(t, s, p)
		for i := range want {
			want[i].Protocol, want[i].Application, want[i].Device, want[i].Remote = refusal.MQTT, "app", "device", "192.0.2.1"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", p.Topic, diff)
		}
	}
	message := func(topic string, change ...func(*packet.Publish)) packet.Publish {
		p := packet.Publish{Topic: topic, QoS: 1, Payload: []byte("x")}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	levels := refusal.Report{Where: "PUBLISH a/b/c", Outcome: outcome.Invalid, Reason: "a topic has the form channel or channel/device"}
	answered := func(r refusal.Report, answer string) refusal.Report {
		r.Answer = answer
		return r
	}
	once := func(p *packet.Publish) { p.QoS = 0 }

	check(message("a"))
	check(message("a/b/c"), answered(levels, "PUBACK 0x90"))
	check(message("a/b/c", once), answered(levels, "no answer"))
	check(message("a/stranger"), refusal.Report{Where: "PUBLISH a/stranger", As: "stranger", Outcome: outcome.Forbidden, Answer: "PUBACK 0x87", Reason: "gateway without permission"})
	check(message("a/nobody"), refusal.Report{Where: "PUBLISH a/nobody", As: "nobody", Outcome: outcome.Forbidden, Answer: "PUBACK 0x87", Reason: "unknown device to act for"})
	check(message("a", func(p *packet.Publish) { p.ContentType = "text" }), refusal.Report{Where: "PUBLISH a", Outcome: outcome.Invalid, Answer: "PUBACK 0x80", Reason: "the content type is not a media type"})
	check(message("a", func(p *packet.Publish) { p.ContentType = "application/json" }), refusal.Report{Where: "PUBLISH a", Outcome: outcome.Rejected, Answer: "PUBACK 0x99", Reason: "the content type is JSON but the body is not"})
	large := func(p *packet.Publish) { p.Payload = []byte(strings.Repeat("x", 70_000)) }
	check(message("a", large), refusal.Report{Where: "PUBLISH a", Outcome: outcome.TooLarge, Answer: "PUBACK 0x80", Reason: "the body is larger than 65536 bytes"})
	away := refusal.Report{Where: "PUBLISH", Outcome: outcome.Unavailable, Reason: "Kafka is away"}
	f.writer.fail(outcome.New(outcome.Unavailable, "Kafka is away"))
	check(message("a"), answered(away, "PUBACK 0x83"))

	client.version = packet.V311
	check(message("a"), answered(away, "connection closed"))
	check(message("a/b/c"), answered(levels, "PUBACK, not stored"))
	check(message("a", large), refusal.Report{Where: "PUBLISH a", Outcome: outcome.TooLarge, Answer: "PUBACK, not stored", Reason: "the body is larger than 65536 bytes"})

	got = nil
	if s.Subscribe(packet.Subscription{Filter: "telemetry/#"}, 0, nil); len(got) != 1 || got[0].Where != "SUBSCRIBE telemetry/#" || got[0].Answer != "SUBACK 0x80" {
		t.Errorf("%+v", got)
	}
	if s.Subscribe(packet.Subscription{Filter: "command/inbox//#"}, 0, nil); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestExplainsLoginsThatCannotBeRead tells the operator what is wrong with the form of a log-in.
func TestExplainsLoginsThatCannotBeRead(t *testing.T) {
	f := func(change func(*packet.Connect), want string) {
		t.Helper()
		fx := newFixture(nil)
		p := login()
		change(p)
		request := requestOf(newPeer(), p)
		_, err := fx.connect(t.Context(), newPeer(), p, request)
		if got := refusal.Explain(outcome.ResultOf(explainLogin(newPeer(), p, request, err))); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(func(p *packet.Connect) { p.HasUsername, p.HasPassword = false, false }, "no user name and password, no client certificate, and no pre-shared key")
	f(func(p *packet.Connect) { p.HasPassword = false }, "no password")
	f(func(p *packet.Connect) { p.HasUsername = false }, "no user name")
	f(func(p *packet.Connect) { p.Username = "device" }, "neither user name nor client id is DEVICE@APPLICATION")
	f(func(p *packet.Connect) { p.Password = []byte("wrong") }, "wrong password")
	f(func(p *packet.Connect) { p.Username = "nobody@app" }, "unknown device")
}
