package mqtt

import (
	"strconv"
	"testing"

	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// TestResponseTopic holds that what is published to the topic that a command names is an answer of the device that it was for.
func TestResponseTopic(t *testing.T) {
	f := func(d registry.Dialect, device, want string) {
		t.Helper()
		c := &command.Command{Gateway: "gw", Device: device}
		got := responseTopic(d, c)
		if got != want {
			t.Errorf("%d, %s: %q, want %q", d, device, got, want)
		}
		if got == "" {
			return
		}
		to, err := destinationOf(d, got)
		if to.device == "" {
			to.device = c.Gateway
		}
		if err != nil || to.channel != command.ResponseChannel || to.device != device {
			t.Errorf("%q goes to %+v, %v", got, to, err)
		}
	}
	f(registry.DrogueV1, "gw", "command/response")
	f(registry.DrogueV1, "d", "command/response/d")
	f(registry.PlainTopic, "gw", "command/response")
	f(registry.PlainTopic, "d", "")
	f(registry.PlainTopicWithDevice, "gw", "/command/response")
	f(registry.PlainTopicWithDevice, "d", "d/command/response")
}

func TestAwaited(t *testing.T) {
	var a awaited
	add := func(device, correlation string) {
		a.add(&command.Command{Device: device, Correlation: correlation, Respond: correlation != ""})
	}
	take := func(device, said, want string) {
		t.Helper()
		if got := a.take(device, said); got != want {
			t.Errorf("%s said %q: %q, want %q", device, said, got, want)
		}
	}
	take("d", "", "")
	add("d", "")
	take("d", "", "")
	add("d", "1")
	add("d", "1") // overlapping subscriptions
	add("e", "2")
	add("d", "3")
	add("d", "4")
	take("d", "3", "3")
	take("d", "9", "9") // not known here; who waits knows
	take("e", "1", "1") // whom it is not for: who waits refuses it
	take("d", "", "1")
	a.giveBack("d", "1", outcome.Unavailable)
	a.giveBack("d", "x", outcome.Invalid)
	a.giveBack("d", "", outcome.Unavailable)
	take("d", "", "1")
	take("d", "", "4")
	take("d", "", "")
	take("e", "", "2")
	for i := range maxAwaited + 5 {
		add("d", strconv.Itoa(100+i))
	}
	take("d", "", "105")
}

// TestAnswers has commands whose answers are waited for delivered, and answers them with correlation data and without.
func TestAnswers(t *testing.T) {
	f := newFixture(nil)
	s, p := f.connected(t)
	subscribe(s, "command/inbox/#", 0)
	subscribe(s, "command/inbox//#", 0)
	correlations := []string{
		"AAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBB",
		"AAAAAAAAAAAAAAAAAAAAAAAAAA.CCCCCCCCCCCCCCCCCCCCCCCCCC",
	}
	for _, correlation := range correlations {
		f.hub.Deliver(command.Command{Application: "app", Gateway: "device", Device: "device", Name: "get", Respond: true, Correlation: correlation})
	}
	if got := p.delivered[0]; got.ResponseTopic != "command/response" || string(got.CorrelationData) != correlations[0] {
		t.Errorf("delivered %+v", got)
	}
	answer := func(said string, reason packet.Reason, want string) {
		t.Helper()
		m := packet.Publish{Topic: "command/response", QoS: 1, Payload: []byte("21.5"), CorrelationData: []byte(said)}
		if got := published(t, s, m); got.Reason != reason {
			t.Errorf("%q is answered %+v", said, got)
		}
		if reason != packet.Success {
			return
		}
		records := f.writer.all()
		r := records[len(records)-1]
		if got := header(r, "ce_correlationid"); got != want || header(r, "ce_subject") != command.ResponseChannel || header(r, "ce_device") != "device" {
			t.Errorf("%q answers %q, want %q", said, got, want)
		}
	}
	answer(correlations[1], packet.Success, correlations[1])
	answer("", packet.Success, correlations[0])
	answer("nonsense", packet.TopicNameInvalid, "")
	answer("", packet.Success, correlations[2])
	answer("", packet.Success, "") // nobody waits
}
