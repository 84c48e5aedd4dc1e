//go:build integration

package e2e

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// TestMQTTConnackCodes has every refusal of a CONNECT come in the words of both versions, with a reason string in the one that has them.
func TestMQTTConnackCodes(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	a.device("crooked", `{"mqtt":{"dialect":{"type":"unknown"}},"authentication":{"credentials":[{"pass":"p"}]}}`)
	user := "device@" + a.name
	f := func(what string, want5, want3 int, say greeting) {
		t.Helper()
		got, link := g.answer(t, say, greeting.say5)
		if got.code != want5 || want5 > 0 && got.text == "" {
			t.Errorf("%s: version 5 is answered with %#x, %q; want %#x and why", what, got.code, got.text, want5)
		}
		if want5 != 0 {
			expectClosed(t, what, link)
		}
		if got, link = g.answer(t, say, greeting.say311); got.code != want3 {
			t.Errorf("%s: version 3.1.1 is answered with %d, want %d", what, got.code, want3)
		}
		if want3 != 0 {
			expectClosed(t, what, link)
		}
	}
	f("admitted", 0, 0, greeting{user: user, password: "p", id: "x"})
	f("admitted without a client id", 0, 0, greeting{user: user, password: "p"})
	f("wrong password", 0x86, 4, greeting{user: user, password: "q"})
	f("no password", 0x86, 4, greeting{user: user})
	f("no log-in", 0x86, 4, greeting{id: user})
	f("password of another form", 0x86, 4, greeting{user: "device", password: "p", id: "device"})
	f("password that is no text", 0x86, 4, greeting{user: user, password: "\xff"})
	f("dialect that nobody knows", 0x83, 3, greeting{user: "crooked@" + a.name, password: "p"})

	will := func(topic string, payload []byte) greeting {
		return greeting{user: user, password: "p", willTopic: topic, will: payload}
	}
	f("will", 0, 0, will("state", []byte("lost")))
	f("will whose topic no event can have", 0x90, 2, will(strings.Repeat("x", 1025), nil))
	f("CONNECT beyond its limit", 0x95, closed, will("state", bytes.Repeat([]byte("x"), 17<<10)))
	high := will("state", []byte("lost"))
	high.willQoS = 2
	f("will of QoS 2", 0x9B, 0, high)
	f("extended authentication", 0x8C, 0, greeting{user: user, password: "p", method: "SCRAM-SHA-256"})
}

// TestMQTTWillsThatNoEventCanBe has them refused with the connection. Paho's codec knows no content type of a will, mosquitto does.
func TestMQTTWillsThatNoEventCanBe(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	f := func(contentType, payload, want string) {
		t.Helper()
		output, ok := mosquittoPub(t, g.tcp, "device@"+a.name, "p", "-V", "mqttv5", "-q", "1", "-t", "x", "-m", "x",
			"--will-topic", "state", "--will-payload", payload, "-D", "WILL", "content-type", contentType)
		if ok != (want == "") || !contains(output, want) {
			t.Errorf("a will of %.30s, %s: %q, want %q", contentType, payload, output, want)
		}
	}
	f("application/json", "{", "Payload format invalid")
	f("text/"+strings.Repeat("x", 256), "lost", "Unspecified error")
	a.empty()
	f("application/json", `{"lost": true}`, "")
	a.expectStory("a will that is discarded", "device", "connected", "x: x", "disconnected")
}

// TestMQTTStoredSessions has clients that ask for a session that outlives the connection told that there is none.
func TestMQTTStoredSessions(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	say := greeting{user: "device@" + a.name, password: "p", id: "kept", keep: true}
	for range 2 {
		if got, _ := g.answer(t, say, greeting.say5); got.code != 0 || got.present || got.expiry == nil || *got.expiry != 0 {
			t.Errorf("version 5: %+v, want no session, that expires at once", got)
		}
		if got, _ := g.answer(t, say, greeting.say311); got.code != 0 || got.present {
			t.Errorf("version 3.1.1: %+v, want no session", got)
		}
	}
	say.id = ""
	if got, _ := g.answer(t, say, greeting.say311); got.code != 2 {
		t.Errorf("without a client id: %+v, want return code 2", got)
	}
}

// TestMQTTUnavailable has log-ins that nobody can judge, or whose session nobody can keep, answered as such, and those that are
// connected go on.
func TestMQTTUnavailable(t *testing.T) {
	g := ownMQTT(t, "FAIRLEAD_MQTT_AUTH_TIMEOUT=500ms")
	a := newTenant(t)
	a.device("device", password("p"))
	a.device("other", password("p"))
	connected := connect5(t, dial5(t, g, "tcp://"+g.tcp), "device@"+a.name, "p", nil)
	f := func(what string) {
		t.Helper()
		say := greeting{user: "other@" + a.name, password: "p", id: "x"}
		if got, _ := g.answer(t, say, greeting.say5); got.code != 0x88 || got.text == "" {
			t.Errorf("%s: version 5 is answered with %#x, %q", what, got.code, got.text)
		}
		if got, _ := g.answer(t, say, greeting.say311); got.code != 3 {
			t.Errorf("%s: version 3.1.1 is answered with %d", what, got.code)
		}
		if _, err := connected.Publish(bounded(t), &paho.Publish{Topic: "x", QoS: 1}); err != nil {
			t.Errorf("%s: a connected device: %v", what, err)
		}
	}
	restart := kill(t, here.auth.Process)
	f("without the authentication function")
	restart()
	restart = kill(t, here.redis.Process)
	f("without Redis")
	restart()
	awaitAdmission(t, g, "other@"+a.name)
}

// awaitAdmission waits until a device is admitted. Until then it is told that nobody can tell.
func awaitAdmission(t *testing.T, g *mqttGateway, user string) {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	for time.Now().Before(deadline) {
		switch got, _ := g.answer(t, greeting{user: user, password: "p", id: "x"}, greeting.say5); got.code {
		case 0:
			return
		case 0x88:
		default:
			t.Fatalf("%s is answered with %#x, %q", user, got.code, got.text)
		}
	}
	t.Fatalf("%s is not admitted", user)
}
