//go:build integration

package e2e

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/test/neighbour"
)

// TestMQTTTakeoverStorm has many clients fight for one device, at two gateways. However that goes, the device's events alternate: each session
// has its beginning, its will and its end before the next one begins.
func TestMQTTTakeoverStorm(t *testing.T) {
	const clients, rounds = 4, 8
	gateways := []*mqttGateway{ownMQTT(t), ownMQTT(t)}
	a := newTenant(t)
	a.device("device", password("p"))
	say := greeting{user: "device@" + a.name, password: "p", id: "x", willTopic: "will", will: []byte("gone")}
	var admitted atomic.Int64
	var running sync.WaitGroup
	for i := range clients {
		links := make([]net.Conn, rounds)
		for round := range links {
			links[round] = plain(t, gateways[(i+round)%2])
		}
		running.Go(func() {
			for _, link := range links {
				got, err := say.say5(link)
				switch {
				case err != nil:
					t.Error(err)
				case got.code == 0:
					admitted.Add(1)
				case got.code != 0x88: // another client took the device before this one was admitted
					t.Errorf("a log-in is answered with %#x, %q", got.code, got.text)
				}
			}
			_ = links[rounds-1].Close()
		})
	}
	running.Wait()
	neighbour.Eventually(t, "the last session to end", func() bool {
		story := a.story("device")
		return len(story) > 0 && int64(count(story, "connected")) >= admitted.Load() && story[len(story)-1] == "disconnected"
	})
	story := a.story("device")
	for i, line := range story {
		before := "disconnected"
		if i > 0 {
			before = story[i-1]
		}
		ok := line == "connected" && before == "disconnected" || line == "will: gone" && before == "connected" ||
			line == "disconnected" && (before == "will: gone" || before == "connected")
		if !ok {
			t.Fatalf("%q comes after %q:\n\t%s", line, before, strings.Join(story, "\n\t"))
		}
	}
	if wills := count(story, "will: gone"); int64(wills) < admitted.Load() {
		t.Errorf("%d sessions, and %d wills", admitted.Load(), wills)
	}
}

func count(story []string, line string) int {
	return len(story) - len(slices.DeleteFunc(slices.Clone(story), func(s string) bool { return s == line }))
}

// TestMQTTConnectionStorm has more clients come at once than are let in. They are told to come back later, and who is there already is not harmed.
func TestMQTTConnectionStorm(t *testing.T) {
	const (
		clients = 200
		burst   = 10
		allowed = burst + 60 // with one more in each second of a very slow test
	)
	g := ownMQTT(t, "FAIRLEAD_MQTT_CONNECTION_CONNECT_RATE=1", "FAIRLEAD_MQTT_CONNECTION_CONNECT_BURST="+strconv.Itoa(burst))
	a := newTenant(t)
	a.device("device", password("p"))
	a.device("other", password("p"))
	established := connect5(t, dial5(t, g, "tcp://"+g.tcp), "device@"+a.name, "p", nil)
	say := greeting{user: "other@" + a.name, password: "p", id: "x"}
	links := make([]net.Conn, clients)
	for i := range links {
		links[i] = plain(t, g)
	}
	var later [2]atomic.Int64 // told to come back later, in either version
	var running sync.WaitGroup
	for i, link := range links {
		running.Go(func() {
			in, busy := talk(greeting.say5), 0x9F
			if i%2 == 1 {
				in, busy = greeting.say311, 3
			}
			switch got, err := in(say, link); {
			case err != nil:
				t.Error(err)
			case got.code == busy && (got.text != "" || busy == 3):
				later[i%2].Add(1)
			}
		})
	}
	if answer, err := established.Publish(bounded(t), &paho.Publish{Topic: "during", QoS: 1}); err != nil {
		t.Errorf("an established session: %v, %v", answer, err)
	}
	running.Wait()
	for version := range later {
		if n := later[version].Load(); n < clients/2-allowed {
			t.Errorf("%d of %d clients are told to come back later", n, clients/2)
		}
	}
	neighbour.Eventually(t, "a client to be let in again", func() bool {
		got, _ := g.answer(t, say, greeting.say5)
		return got.code == 0
	})
	if err := established.Disconnect(&paho.Disconnect{}); err != nil {
		t.Error(err)
	}
	a.expectStory("an established session", "device", "connected", "during: ", "disconnected")
}
