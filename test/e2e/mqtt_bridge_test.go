//go:build integration

package e2e

import (
	"net"
	"strconv"
	"testing"

	"github.com/fairlead/fairlead/test/neighbour"
)

// TestBridge has a site's own broker forwarded by the process that is deployed, also what came while that was dead.
func TestBridge(t *testing.T) {
	site, err := neighbour.StartMosquitto(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	})
	a := newTenant(t)
	a.device("bridge", password("b"))
	a.device("pump", `{"gatewaySelector":{"matchNames":["bridge"]}}`)
	program, err := gatewayProgram()
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := program.Start(bounded(t), "bridge", append(gatewaySettings(),
		"FAIRLEAD_BRIDGE_BROKER_URL="+site.URL(), "FAIRLEAD_BRIDGE_PATTERNS=site/{device}/{channel...}",
		"FAIRLEAD_BRIDGE_GATEWAY_APPLICATION="+a.name, "FAIRLEAD_BRIDGE_GATEWAY_DEVICE=bridge", "FAIRLEAD_BRIDGE_GATEWAY_PASSWORD=b",
	)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bridge.Close(); err != nil {
			t.Error(err)
		}
	})
	publish := func(payload string) {
		t.Helper()
		address := net.JoinHostPort(site.Host(), strconv.Itoa(site.Port()))
		if output, ok := mosquitto(t, "mosquitto_pub", address, "-q", "1", "-t", "site/pump/water/level", "-m", payload); !ok {
			t.Fatal(output)
		}
	}
	publish("1")
	a.awaitStory("bridge", 1)
	bridge.Kill()
	publish("2")
	if err := bridge.Start(bounded(t)); err != nil {
		t.Fatal(err)
	}
	a.expectStory("the bridge", "bridge", "water/level: 1", "water/level: 2")
	for _, r := range a.records() {
		if r.headers["ce_device"] != "pump" || r.headers["ce_deviceuid"] != a.deviceUID("pump") {
			t.Errorf("an event about %v", r.headers)
		}
	}
}
