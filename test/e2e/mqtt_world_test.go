//go:build integration

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/neighbour"
)

// An mqttGateway is a process of the MQTT gateway.
type mqttGateway struct {
	*gatewaybin.Gateway
	tcp, tls, ws, wss string // addresses
	ca                string // file of the certificate that clients over TLS have to trust
}

// gatewayProgram is built at the first use.
var gatewayProgram = sync.OnceValues(func() (gatewaybin.Binary, error) {
	return gatewaybin.Build(context.Background(), here.dir)
})

// ownMQTT starts a gateway for one test.
func ownMQTT(t *testing.T, settings ...string) *mqttGateway {
	t.Helper()
	return startMQTT(t, append(gatewaySettings(), settings...))
}

// gatewayCertificate is the certificate that gateways over TLS show.
func gatewayCertificate(t *testing.T) authority.Files {
	t.Helper()
	files, err := authority.Ensure(filepath.Join(here.dir, "mqtt-tls"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// startMQTT starts a gateway for one test that is told nothing of its neighbours but what the settings say.
func startMQTT(t *testing.T, settings []string) *mqttGateway {
	t.Helper()
	program, err := gatewayProgram()
	if err != nil {
		t.Fatal(err)
	}
	files := gatewayCertificate(t)
	g := &mqttGateway{ca: files.Authority}
	for _, address := range []*string{&g.tcp, &g.tls, &g.ws, &g.wss} {
		if *address, err = gatewaybin.FreeAddress(); err != nil {
			t.Fatal(err)
		}
	}
	settings = append([]string{
		"FAIRLEAD_MQTT_TCP_ADDRESS=" + g.tcp, "FAIRLEAD_MQTT_WEB_SOCKET_ADDRESS=" + g.ws,
		"FAIRLEAD_MQTT_TLS_ADDRESS=" + g.tls, "FAIRLEAD_MQTT_WEB_SOCKET_TLS_ADDRESS=" + g.wss,
		"FAIRLEAD_MQTT_TLS_CERTIFICATE_FILE=" + files.Certificate, "FAIRLEAD_MQTT_TLS_KEY_FILE=" + files.Key,
		"FAIRLEAD_MQTT_WEB_SOCKET_TLS_CERTIFICATE_FILE=" + files.Certificate, "FAIRLEAD_MQTT_WEB_SOCKET_TLS_KEY_FILE=" + files.Key,
	}, settings...)
	if g.Gateway, err = program.Start(bounded(t), "mqtt", settings...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// gatewaySettings are what every gateway of the suite is told: where the neighbours are, and as functions are.
func gatewaySettings() []string {
	return append(here.remoteAuthentication(), "FAIRLEAD_KAFKA_BROKERS="+here.kafka.Brokers()[0])
}

// mosquittoPub runs mosquitto_pub in a device's name and returns its output and whether it ended well.
func mosquittoPub(t *testing.T, address, user, secret string, arguments ...string) (output string, ok bool) {
	t.Helper()
	return mosquitto(t, "mosquitto_pub", address, append([]string{"-u", user, "-P", secret}, arguments...)...)
}

func mosquitto(t *testing.T, program, address string, arguments ...string) (output string, ok bool) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(bounded(t), program, append([]string{"-h", host, "-p", port}, arguments...)...)
	text, err := command.CombinedOutput()
	return string(text), err == nil
}

// story is what happened to a device, in order: a line for each event of its partition, as "connected", "disconnected" or
// "channel: payload".
func (a *tenant) story(device string) (lines []string) {
	a.t.Helper()
	records := a.records()
	slices.SortStableFunc(records, func(x, y record) int { return cmp.Compare(x.partition, y.partition) })
	for _, r := range records {
		if r.headers["ce_sender"] != device {
			continue
		}
		switch {
		case r.headers["ce_type"] != "io.drogue.connection.v1":
			lines = append(lines, r.headers["ce_subject"]+": "+r.payload)
		case r.payload == `{"connected":true}`:
			lines = append(lines, "connected")
		case r.payload == `{"connected":false}`:
			lines = append(lines, "disconnected")
		default:
			lines = append(lines, "connection event "+strconv.Quote(r.payload))
		}
	}
	return lines
}

// awaitStory waits until a device's story has so many lines, and returns them.
func (a *tenant) awaitStory(device string, lines int) []string {
	a.t.Helper()
	var got []string
	neighbour.Eventually(a.t, strconv.Itoa(lines)+" events of "+device, func() bool {
		got = a.story(device)
		return len(got) >= lines
	})
	return got
}

// expectStory waits for as many events as are wanted, and compares them.
func (a *tenant) expectStory(what, device string, want ...string) {
	a.t.Helper()
	if got := a.awaitStory(device, len(want)); !slices.Equal(got, want) {
		a.t.Errorf("%s: the events are\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// contains tells whether an output of a client says something.
func contains(output, text string) bool { return bytes.Contains([]byte(output), []byte(text)) }
