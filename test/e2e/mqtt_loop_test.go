//go:build integration

package e2e

import (
	"strconv"
	"strings"
	"testing"
)

// TestNobodyIsCaughtInALoop has clients publish what can never be stored, and something good after each on the same connection.
// Only version 3.1.1 has no words for a refusal; there, a gateway may be told to close.
func TestNobodyIsCaughtInALoop(t *testing.T) {
	going, closing := ownMQTT(t), ownMQTT(t, "FAIRLEAD_MQTT_CONNECTION_CLOSE_ON_REFUSAL=true")
	refusals := []struct{ topic, payload, reason string }{
		{"a/b/c", "bad", "144"}, {"x/nobody", "bad", "135"}, {"x/stranger", "bad", "135"}, {"large", strings.Repeat("x", maxBody+1), "128"},
	}
	for _, library := range mqttLibraries(t) {
		t.Run(library.name, func(t *testing.T) {
			a := newTenant(t)
			a.device("stranger", `{}`)
			f := func(device string, g *mqttGateway, version string) {
				t.Helper()
				a.device(device, password("p"))
				p := library.connect(t, g.tcp, version, device+"@"+a.name, "p")
				want := []string{"connected"}
				for _, r := range refusals {
					if version == "4" {
						r.reason = "0"
					}
					p.publish(r.topic, r.payload, "acknowledged "+r.reason)
					p.publish("good", r.topic, "acknowledged 0")
					want = append(want, "good: "+r.topic)
				}
				if version == "4" { // which does not know how large a packet may be
					p.publish("larger", strings.Repeat("x", 1<<20), "acknowledged 0")
					p.publish("good", "larger", "acknowledged 0")
					want = append(want, "good: larger")
				}
				p.end()
				a.expectStory(device, device, append(want, "disconnected")...)
			}
			f("3.1.1", going, "4")
			f("5", going, "5")
			f("5-closing", closing, "5")
			for i, r := range refusals {
				device := "closed-" + strconv.Itoa(i)
				a.device(device, password("p"))
				p := library.connect(t, closing.tcp, "4", device+"@"+a.name, "p")
				p.publish("good", "before", "acknowledged 0")
				p.publish(r.topic, r.payload, "disconnected ")
				a.expectStory(r.topic, device, "connected", "good: before", "disconnected")
			}
		})
	}
}
