//go:build integration

package e2e

import (
	"net/http"
	"slices"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/test/mqttclient"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
)

// toSink is what a gateway is told whose events go to an inbox. It knows of no Kafka.
func toSink(b *inbox) []string {
	return append(here.remoteAuthentication(), "K_SINK="+b.url(), `K_CE_OVERRIDES={"extensions":{"site":"north"}}`, "FAIRLEAD_SINK_DELIVERY_TIMEOUT=2s")
}

// A numberedLoad is devices that send numbered messages.
type numberedLoad interface {
	more(count int)
	undecided(count int)
	stop()
}

// loseSink kills the sink and has it refuse, again and again, while messages come.
func loseSink(l numberedLoad, b *inbox, count int) {
	for range 3 {
		l.more(count)
		b.kill()
		l.undecided(4)
		b.start()
		l.more(count)
		b.answer(http.StatusServiceUnavailable)
		l.undecided(4)
		b.answer(0)
	}
	l.more(count)
}

func (l *mqttLoad) undecided(count int) {
	l.t.Helper()
	target := l.checker.Counts().Unknown + count
	neighbour.Eventually(l.t, "more messages to have no decision", func() bool { return l.checker.Counts().Unknown >= target })
}

// site tells whether every event of the inbox has what the sink's binding adds.
func (b *inbox) site() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !slices.ContainsFunc(b.events, func(e cloudevents.Event) bool { return e.Extensions()["site"] != "north" })
}

// TestSinkBehindMQTT kills the sink that takes the place of Kafka behind an MQTT gateway, and then the gateway, while numbered messages
// are published: each that was acknowledged is there, in order for each device.
func TestSinkBehindMQTT(t *testing.T) {
	to := newInbox(t, "", "")
	g := startMQTT(t, toSink(to))
	l := startMQTTLoad(t, 6, g)
	loseSink(l, to, 300)
	g.Kill()
	if err := g.Start(bounded(t)); err != nil {
		t.Fatal(err)
	}
	l.more(300)
	l.stop()
	to.compare(l.checker)
	if !to.site() {
		t.Error("an event lacks what K_CE_OVERRIDES adds")
	}
}

// TestSinkBehindCoAP kills the sink behind a CoAP gateway, over DTLS.
func TestSinkBehindCoAP(t *testing.T) {
	to := newInbox(t, "", "")
	_, _, secure := ownCoAP(t, toSink(to))
	l := startCoAPLoad(t, secure)
	loseSink(l, to, 100)
	l.stop()
	to.compare(l.checker)
	if !to.site() {
		t.Error("an event lacks what K_CE_OVERRIDES adds")
	}
}

// TestPubackWaitsForTheSink has a message published whose event the sink takes only when the test lets it.
func TestPubackWaitsForTheSink(t *testing.T) {
	to := newInbox(t, "", "")
	g := startMQTT(t, append(toSink(to), "FAIRLEAD_SINK_DELIVERY_TIMEOUT=20s"))
	a := newTenant(t)
	a.device("device", password("p"))
	client, err := mqttclient.Dial(bounded(t), mqttclient.TCP(g.tcp), "device", "device@"+a.name, "p")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	to.answer(http.StatusServiceUnavailable)
	m := numbered.New().Next("device")
	packet, id := mqttclient.AppendPublish(nil, loadChannel, m.Body())
	packet[id], packet[id+1] = 0, 1
	if _, err := client.Write(packet); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "attempts", func() bool { return to.refused() >= 2 })
	acknowledged := make(chan error, 1)
	go func() {
		kind, _, err := client.ReadPacket()
		if err == nil && kind != mqttclient.Puback {
			t.Errorf("packet %#x", kind)
		}
		acknowledged <- err
	}()
	select {
	case err := <-acknowledged:
		t.Fatalf("an answer before the sink has the event: %v", err)
	default:
	}
	to.answer(0)
	if err := <-acknowledged; err != nil {
		t.Fatal(err)
	}
	if stored, _ := to.stored(); len(stored) != 1 || stored[0].Message != m {
		t.Errorf("the sink has %v", stored)
	}
}
