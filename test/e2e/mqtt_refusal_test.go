//go:build integration

package e2e

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// TestMQTTLoginRefusals has mosquitto_pub say why it was not let in.
func TestMQTTLoginRefusals(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	a.device("disabled", `{"core":{"disabled":true},"authentication":{"credentials":[{"pass":"p"}]}}`)
	off := newTenant(t)
	off.device("device", password("p"))
	off.specify(`{"core":{"disabled":true}}`)
	f := func(what, user, secret string) {
		t.Helper()
		for version, want := range map[string]string{"mqttv311": "bad user name or password", "mqttv5": "Bad User Name or Password"} {
			output, ok := mosquittoPub(t, g.tcp, user, secret, "-V", version, "-t", "x", "-m", "x")
			if ok || !contains(output, want) {
				t.Errorf("%s, %s: %q, want %q", what, version, output, want)
			}
		}
	}
	f("wrong password", "device@"+a.name, "q")
	f("unknown device", "nobody@"+a.name, "p")
	f("unknown application", "device@nowhere", "p")
	f("disabled device", "disabled@"+a.name, "p")
	f("disabled application", "device@"+off.name, "p")
	f("no application", "device", "p")
	a.empty()
	off.empty()
}

// TestMQTTPublishRefusals looks at the answers of version 5, and at the fate of the connection in 3.1.1.
func TestMQTTPublishRefusals(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	a.device("stranger", `{}`)
	refusals := []struct {
		what   string
		packet paho.Publish
		reason byte
	}{
		{"topic with three levels", paho.Publish{Topic: "a/b/c"}, 0x90},
		{"gateway without permission", paho.Publish{Topic: "a/stranger"}, 0x87},
		{"gateway for nobody", paho.Publish{Topic: "a/nobody"}, 0x87},
		{"broken JSON", paho.Publish{Topic: "a", Payload: []byte("{"), Properties: &paho.PublishProperties{ContentType: "application/json"}}, 0x99},
	}
	client := connect5(t, dial5(t, g, "tcp://"+g.tcp), "device@"+a.name, "p", nil)
	for _, r := range refusals {
		r.packet.QoS = 1
		answer, err := client.Publish(bounded(t), &r.packet)
		if answer == nil || answer.ReasonCode != r.reason {
			t.Errorf("%s: %v, %v, want reason %#x", r.what, answer, err, r.reason)
			continue
		}
		if answer.Properties.ReasonString == "" {
			t.Errorf("%s: without a reason string", r.what)
		}
	}
	if answer, err := client.Publish(bounded(t), &paho.Publish{Topic: "good", QoS: 1}); err != nil {
		t.Errorf("after refusals: %v, %v", answer, err)
	}
	_ = client.Disconnect(&paho.Disconnect{})
	a.expectStory("refused messages", "device", "connected", "good: ", "disconnected")

	// Version 3.1.1 has no words for a refusal: what can never be stored is acknowledged, and the client goes on.
	if output, ok := mosquittoPub(t, g.tcp, "device@"+a.name, "p", "-V", "mqttv311", "-q", "1", "-t", "a/b/c", "-m", "x"); !ok {
		t.Errorf("a refused message of 3.1.1: %q", output)
	}
	if output, ok := mosquittoPub(t, g.tcp, "device@"+a.name, "p", "-V", "mqttv311", "-q", "0", "-t", "a/b/c", "-m", "x"); !ok {
		t.Errorf("a refused message of QoS 0: %q", output)
	}
	if output, _ := mosquittoPub(t, g.tcp, "device@"+a.name, "p", "-V", "mqttv5", "-q", "2", "-t", "a", "-m", "x"); !contains(output, "QoS not supported") {
		t.Errorf("QoS 2: %q", output)
	}
	large := strings.Repeat("x", 70_000)
	if answer, err := connect5(t, dial5(t, g, "tcp://"+g.tcp), "device@"+a.name, "p", nil).Publish(bounded(t), &paho.Publish{Topic: "a", QoS: 1, Payload: []byte(large)}); err == nil {
		t.Errorf("a body of 70,000 bytes is answered with %v", answer)
	}
}

// TestMQTTSubscriptions has mosquitto_sub subscribe. Which commands arrive is the matter of TestCommandsOverMQTT.
func TestMQTTSubscriptions(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	f := func(filter string, granted bool) {
		t.Helper()
		for version, refused := range map[string]string{"mqttv311": "128", "mqttv5": "143"} {
			want := "Subscribed (mid: 1): " + refused
			if granted {
				want = "Subscribed (mid: 1): 0"
			}
			output, _ := mosquitto(t, "mosquitto_sub", g.tcp, "-u", "device@"+a.name, "-P", "p", "-V", version, "-d", "-E", "-t", filter)
			if !contains(output, want) {
				t.Errorf("%s, %s: %q, want %q", filter, version, output, want)
			}
		}
	}
	f("command/inbox/#", true)
	f("command/inbox/+/#", true)
	f("command/inbox//#", true)
	f("command/inbox/other/#", true)
	f("command/inbox/other/name", false)
	f("#", false)
	f("telemetry/#", false)
}

// TestHugePromises opens connections that claim the largest packet there is and send ten bytes of it.
func TestHugePromises(t *testing.T) {
	const connections = 1000
	g := ownMQTT(t, "FAIRLEAD_MQTT_CONNECTION_CONNECT_TIMEOUT=5s", "FAIRLEAD_MQTT_AUTH_TIMEOUT=4s")
	a := newTenant(t)
	a.device("device", password("p"))
	established := connect5(t, dial5(t, g, "tcp://"+g.tcp), "device@"+a.name, "p", nil)
	before, err := g.Resident()
	if err != nil {
		t.Fatal(err)
	}
	open := make([]net.Conn, connections)
	for i := range open {
		if open[i], err = net.Dial("tcp", g.tcp); err != nil {
			t.Fatal(err)
		}
		defer open[i].Close()
		if _, err := open[i].Write([]byte("\x10\xff\xff\xff\x7f\x00\x04MQT")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := established.Publish(bounded(t), &paho.Publish{Topic: "x", QoS: 1}); err != nil {
		t.Errorf("an established connection: %v", err)
	}
	after, err := g.Resident()
	if err != nil {
		t.Fatal(err)
	}
	if grown := after - before; grown > 32<<20 {
		t.Errorf("%d connections cost %d MiB", connections, grown>>20)
	}
	for i := range open {
		if err := open[i].SetReadDeadline(time.Now().Add(waitLimit)); err != nil {
			t.Fatal(err)
		}
		if _, err := open[i].Read(make([]byte, 64)); err == nil {
			continue // refused in the words of the protocol; closed next
		} else if isTimeout(err) {
			t.Fatal("a connection without a CONNECT stays open")
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// TestRefusalsLeaveNothing compares what is stored with what was acknowledged.
func TestRefusalsLeaveNothing(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	client := connect5(t, dial5(t, g, "tcp://"+g.tcp), "device@"+a.name, "p", nil)
	for _, topic := range []string{"a/b/c", "x/nobody"} {
		_, _ = client.Publish(bounded(t), &paho.Publish{Topic: topic, QoS: 1})
		_, _ = client.Publish(bounded(t), &paho.Publish{Topic: topic, QoS: 0})
	}
	_ = client.Disconnect(&paho.Disconnect{})
	if got := a.awaitStory("device", 2); !slices.Equal(got, []string{"connected", "disconnected"}) {
		t.Errorf("stored: %v", got)
	}
}
