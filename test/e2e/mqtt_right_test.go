//go:build integration

package e2e

import (
	"testing"

	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/test/neighbour"
)

// TestMQTTGatewayRightsAreWithdrawn has a connected gateway lose what it may do for others, and nothing else.
func TestMQTTGatewayRightsAreWithdrawn(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("gateway", password("p"))
	a.device("other", `{"gatewaySelector":{"matchNames":["gateway"]}}`)
	client := connect5(t, dial5(t, g, "tcp://"+g.tcp), "gateway@"+a.name, "p", nil)
	publish := func(topic string) byte {
		t.Helper()
		answer, err := client.Publish(bounded(t), &paho.Publish{Topic: topic, QoS: 1, Payload: []byte("x")})
		if answer == nil {
			t.Fatalf("%s: %v", topic, err)
		}
		return answer.ReasonCode
	}
	f := func(what, spec string) {
		t.Helper()
		a.device("sensor", `{"gatewaySelector":{"matchNames":["gateway"]}}`)
		neighbour.Eventually(t, "the gateway to be allowed", func() bool { return publish("temp/sensor") == 0 })
		if spec == "" {
			a.remove("sensor")
		} else {
			a.device("sensor", spec)
		}
		neighbour.Eventually(t, "the gateway to be forbidden after "+what, func() bool {
			reason := publish("temp/sensor")
			if reason != 0 && reason != 0x87 {
				t.Fatalf("%s: reason %#x", what, reason)
			}
			return reason == 0x87
		})
		if reason := publish("temp/other"); reason != 0 {
			t.Errorf("%s: for another device: reason %#x", what, reason)
		}
	}
	f("the gateway is not listed any more", `{}`)
	f("the device was disabled", `{"core":{"disabled":true},"gatewaySelector":{"matchNames":["gateway"]}}`)
	f("the device was deleted", "")
}
