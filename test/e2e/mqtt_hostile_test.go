//go:build integration

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	packets5 "github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/fairlead/fairlead/test/neighbour"
)

// TestMQTTBrokenPackets has what breaks the protocol or a limit end the connection, with the reason in version 5, and no other connection.
func TestMQTTBrokenPackets(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("device", password("p"))
	a.device("bystander", password("p"))
	bystander := connect5(t, dial5(t, g, "tcp://"+g.tcp), "bystander@"+a.name, "p", nil)
	say := greeting{user: "device@" + a.name, password: "p", id: "x"}
	f := func(what string, reason byte, in5, in3 string) {
		t.Helper()
		_, link := g.answer(t, say, greeting.say5)
		if got, err := farewell(link, in5); err != nil || got != reason {
			t.Errorf("%s: version 5 is told %#x, %v; want %#x", what, got, err, reason)
		}
		_, link = g.answer(t, say, greeting.say311)
		if err := send(link, []byte(in3)); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(link); len(rest) > 0 || err != nil && isTimeout(err) {
			t.Errorf("%s: version 3.1.1 is told % x, %v", what, rest, err)
		}
		if _, err := bystander.Publish(bounded(t), &paho.Publish{Topic: "x", QoS: 1}); err != nil {
			t.Fatalf("%s harms another connection: %v", what, err)
		}
	}
	same := func(what string, reason byte, packet string) { t.Helper(); f(what, reason, packet, packet) }
	f("QoS 2", 0x9B, "\x34\x06\x00\x01a\x00\x01\x00", "\x34\x05\x00\x01a\x00\x01")
	same("QoS 3", 0x81, "\x36\x05\x00\x01a\x00\x01")
	f("a topic with a wildcard", 0x81, "\x30\x04\x00\x01#\x00", "\x30\x03\x00\x01#")
	f("no topic", 0x82, "\x30\x03\x00\x00\x00", "\x30\x02\x00\x00")
	same("a topic that is no text", 0x81, "\x30\x03\x00\x01\xff")
	same("256 MiB", 0x95, "\x32\xff\xff\xff\x7f\x00\x01a")
	same("a length of five bytes", 0x81, "\x30\xff\xff\xff\xff\x01")
	same("a type that there is not", 0x81, "\x00\x00")
	same("a packet of a server", 0x82, "\x20\x02\x00\x00")
	same("a second CONNECT", 0x82, "\x10\x00")
	same("an acknowledgement of nothing", 0x82, "\x40\x02\x00\x01")
	same("SUBSCRIBE without its flags", 0x81, "\x80\x02\x00\x01")
	same("SUBSCRIBE that ends after the filter", 0x81, "\x82\x06\x00\x01\x00\x00\x01a")
	f("UNSUBSCRIBE without a filter", 0x82, "\xa2\x03\x00\x01\x00", "\xa2\x02\x00\x01")
	_, link := g.answer(t, say, greeting.say5)
	if got, err := farewell(link, publication(5, strings.Repeat("x", 128<<10))); err != nil || got != 0x95 {
		t.Errorf("a packet beyond its limit: %#x, %v", got, err)
	}
	a.expectNothing("device")
}

// publication is a PUBLISH of QoS 1.
func publication(version byte, body string) string {
	content := "\x00\x01a\x00\x01"
	if version == 5 {
		content += "\x00"
	}
	content += body
	n := len(content)
	return string([]byte{0x32, byte(n) | 0x80, byte(n>>7) | 0x80, byte(n >> 14)}) + content
}

// farewell sends a packet and reads the DISCONNECT that has to follow, and the end of the connection.
func farewell(link net.Conn, packet string) (reason byte, err error) {
	if err := send(link, []byte(packet)); err != nil {
		return 0, err
	}
	answer, err := packets5.ReadPacket(link)
	if err != nil {
		return 0, err
	}
	disconnect, ok := answer.Content.(*packets5.Disconnect)
	if !ok {
		return 0, errors.New("instead of DISCONNECT comes " + answer.String())
	}
	if disconnect.Properties.ReasonString == "" {
		return disconnect.ReasonCode, errors.New("there is no reason string")
	}
	if _, err := io.Copy(io.Discard, link); err != nil && isTimeout(err) {
		return disconnect.ReasonCode, errors.New("the connection stays open")
	}
	return disconnect.ReasonCode, nil
}

// expectNothing fails the test if a device has said anything, connections apart.
func (a *tenant) expectNothing(device string) {
	a.t.Helper()
	for _, line := range a.story(device) {
		if line != "connected" && line != "disconnected" {
			a.t.Errorf("stored: %s", line)
		}
	}
}

// TestMQTTPromisesUntilTheDeadline opens connections that claim as large a CONNECT as is allowed and send ten bytes of it.
// They cost no more than idle connections, are closed by the deadline, and leave nothing behind.
func TestMQTTPromisesUntilTheDeadline(t *testing.T) {
	const (
		connections = 1000
		each        = 10 << 10 // bytes: a goroutine, and what Go and the server keep of a connection
	)
	metrics := metricsAddress(t)
	g := ownMQTT(t, "FAIRLEAD_MQTT_CONNECTION_CONNECT_TIMEOUT=5s", "FAIRLEAD_MQTT_AUTH_TIMEOUT=4s",
		"FAIRLEAD_PROCESS_METRICS_PROTOCOL=prometheus", "FAIRLEAD_PROCESS_METRICS_ENDPOINT="+metrics)
	a := newTenant(t)
	a.device("device", password("p"))
	established := connect5(t, dial5(t, g, "tcp://"+g.tcp), "device@"+a.name, "p", nil)
	unadmitted := func() int {
		text := curl(t, nil, "http://"+metrics+"/metrics").sample("fairlead_mqtt_connections", `admitted="false"`)
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("the metric is %q: %v", text, err)
		}
		return n
	}
	unadmitted() // so that what metrics cost is there before
	opened := openFiles(t, g.Pid())
	before, err := g.Resident()
	if err != nil {
		t.Fatal(err)
	}
	links := make([]net.Conn, connections)
	for i := range links {
		links[i] = plain(t, g)
		if err := send(links[i], []byte("\x10\xf0\x7f\x00\x04MQTT\x05")); err != nil {
			t.Fatal(err)
		}
	}
	// Each look at the metrics leaves garbage, more than all connections.
	neighbour.Eventually(t, "all connections to be accepted", func() bool { return openFiles(t, g.Pid()) >= opened+connections })
	after, err := g.Resident()
	if err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "all connections to be there", func() bool { return unadmitted() == connections })
	t.Logf("%d connections cost %d bytes each", connections, (after-before)/connections)
	if grown := after - before; grown > connections*each {
		t.Errorf("%d connections cost %d bytes each, more than %d", connections, grown/connections, each)
	}
	if _, err := established.Publish(bounded(t), &paho.Publish{Topic: "x", QoS: 1}); err != nil {
		t.Errorf("an established connection: %v", err)
	}
	for _, link := range links {
		expectClosed(t, "a CONNECT that does not come", link)
	}
	neighbour.Eventually(t, "all connections to be gone", func() bool { return unadmitted() == 0 })
}

// openFiles counts the files and connections that a process has open.
func openFiles(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// sample finds the value of a metric with a label in the text format of Prometheus, or "".
func (a answer) sample(name, label string) string {
	for line := range strings.Lines(a.body) {
		sample, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if family, labels, _ := strings.Cut(sample, "{"); family == name && strings.Contains(labels, label) {
			return value
		}
	}
	return ""
}
