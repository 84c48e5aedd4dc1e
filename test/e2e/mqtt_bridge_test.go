//go:build integration

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// TestMosquittoAsABridge has a mosquitto with the defaults of its bridge forward to the gateway as a device: with notifications,
// which no device may publish, and among messages that are refused for good. None of them may keep the others from being stored.
func TestMosquittoAsABridge(t *testing.T) {
	g := ownMQTT(t)
	large := map[int]string{15: filepath.Join(t.TempDir(), "body"), 19: filepath.Join(t.TempDir(), "packet")}
	for n, size := range map[int]int{15: maxBody + 1, 19: 300 << 10} { // mosquitto drops the second by itself where version 5 tells it to
		if err := os.WriteFile(large[n], make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range []string{"mqttv311", "mqttv50"} {
		t.Run(version, func(t *testing.T) {
			a := newTenant(t)
			a.device("site", password("p"))
			site, err := neighbour.StartMosquitto(bounded(t),
				neighbour.MosquittoSetting("connection", "fairlead-"+a.name),
				neighbour.MosquittoSetting("address", g.tcp),
				neighbour.MosquittoSetting("topic", "# out 1"),
				neighbour.MosquittoSetting("remote_username", "site@"+a.name),
				neighbour.MosquittoSetting("remote_password", "p"),
				neighbour.MosquittoSetting("bridge_protocol_version", version),
				neighbour.MosquittoSetting("restart_timeout", "1"),
				neighbour.MosquittoSetting("max_inflight_messages", "20"), // its default
			)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = site.Close() })
			a.awaitStory("site", 1)
			address := net.JoinHostPort(site.Host(), strconv.Itoa(site.Port()))
			for n := range 20 {
				topic, payload := "level", []string{"-m", strconv.Itoa(n)}
				switch n {
				case 3, 7, 11:
					topic = "a/b/c" // refused for good
				case 15, 19:
					payload = []string{"-f", large[n]}
				}
				if output, ok := mosquitto(t, "mosquitto_pub", address, append(payload, "-q", "1", "-t", topic)...); !ok {
					t.Fatal(output)
				}
			}
			want := []string{"connected"}
			for n := range 20 {
				if n%4 != 3 {
					want = append(want, "level: "+strconv.Itoa(n))
				}
			}
			a.awaitStory("site", len(want))
			if diff := cmp.Diff(want, a.story("site")); diff != "" {
				t.Errorf("story (-want +got):\n%s", diff)
			}
		})
	}
}
