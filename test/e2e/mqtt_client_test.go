//go:build integration

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	packets5 "github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"
)

// TestMosquittoPublishes has the clients of mosquitto publish over TCP and TLS in both versions.
func TestMosquittoPublishes(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	f := func(what, device, address string, arguments ...string) {
		t.Helper()
		a.device(device, password("p"))
		if output, ok := mosquittoPub(t, address, device+"@"+a.name, "p", append(arguments, "-q", "1", "-t", "temp", "-m", `{"t": 1}`)...); !ok {
			t.Errorf("%s: %s", what, output)
			return
		}
		a.expectStory(what, device, "connected", `temp: {"t":1}`, "disconnected")
	}
	f("3.1.1 over TCP", "tcp-3", g.tcp, "-V", "mqttv311")
	f("5 over TCP", "tcp-5", g.tcp, "-V", "mqttv5")
	f("3.1.1 over TLS", "tls-3", g.tls, "-V", "mqttv311", "--cafile", g.ca)
	f("5 over TLS", "tls-5", g.tls, "-V", "mqttv5", "--cafile", g.ca)
	f("without a clean session", "kept-3", g.tcp, "-V", "mqttv311", "-c", "-i", "kept")
	f("with a session of an hour", "kept-5", g.tcp, "-V", "mqttv5", "-c", "-i", "kept", "-x", "3600")

	a.device("old", password("p"))
	if output, ok := mosquittoPub(t, g.tcp, "old@"+a.name, "p", "-V", "mqttv31", "-t", "x", "-m", "x"); ok || !contains(output, "protocol version") {
		t.Errorf("3.1 is answered with %q", output)
	}
}

// TestPahoPublishes has the clients of Eclipse Paho publish over every transport in both versions.
func TestPahoPublishes(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	for _, transport := range []struct{ name, url string }{
		{"tcp", "tcp://" + g.tcp}, {"tls", "ssl://" + g.tls}, {"ws", "ws://" + g.ws + "/any/path"}, {"wss", "wss://" + g.wss + "/mqtt"},
	} {
		for _, publish := range []struct {
			version string
			run     func(*testing.T, *mqttGateway, string, string)
		}{{"3", publish3}, {"5", publish5}} {
			device := transport.name + "-" + publish.version
			a.device(device, password("p"))
			publish.run(t, g, transport.url, device+"@"+a.name)
			a.expectStory(device, device, "connected", `temp: {"t":1}`, "disconnected")
		}
	}
}

// trusting is what a client over TLS needs to know: the file of the authority that the server's certificate comes from.
func trusting(t *testing.T, ca string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// publish3 publishes with Paho's client for 3.1.1.
func publish3(t *testing.T, g *mqttGateway, url, user string) {
	t.Helper()
	options := paho3.NewClientOptions().AddBroker(url).SetClientID("paho3").SetUsername(user).SetPassword("p").
		SetProtocolVersion(4).SetTLSConfig(trusting(t, g.ca)).SetConnectRetry(false).SetAutoReconnect(false)
	client := paho3.NewClient(options)
	if token := client.Connect(); !token.WaitTimeout(waitLimit) || token.Error() != nil {
		t.Fatalf("%s: connecting: %v", url, token.Error())
	}
	if token := client.Publish("temp", 1, false, `{"t": 1}`); !token.WaitTimeout(waitLimit) || token.Error() != nil {
		t.Errorf("%s: publishing: %v", url, token.Error())
	}
	const milliseconds = 250
	client.Disconnect(milliseconds)
}

// publish5 publishes with Paho's client for 5.
func publish5(t *testing.T, g *mqttGateway, url, user string) {
	t.Helper()
	client := connect5(t, dial5(t, g, url), user, "p", nil)
	answer, err := client.Publish(bounded(t), &paho.Publish{Topic: "temp", QoS: 1, Payload: []byte(`{"t": 1}`)})
	if err != nil || answer.ReasonCode != 0 {
		t.Errorf("%s: publishing: %v, %v", url, answer, err)
	}
	if err := client.Disconnect(&paho.Disconnect{}); err != nil {
		t.Errorf("%s: disconnecting: %v", url, err)
	}
}

// dial5 makes the connection that Paho's client for 5 asks for.
func dial5(t *testing.T, g *mqttGateway, url string) net.Conn {
	t.Helper()
	scheme, address, _ := strings.Cut(url, "://")
	var connection net.Conn
	var err error
	switch scheme {
	case "tcp":
		connection, err = net.Dial("tcp", address)
	case "ssl":
		connection, err = tls.Dial("tcp", address, trusting(t, g.ca))
	default:
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting(t, g.ca)}}
		var socket *websocket.Conn
		socket, _, err = websocket.Dial(bounded(t), url, &websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"mqtt"}})
		if err == nil {
			connection = websocket.NetConn(context.WithoutCancel(t.Context()), socket, websocket.MessageBinary)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return connection
}

// connect5 logs in. change may alter the client and the CONNECT before.
func connect5(t *testing.T, connection net.Conn, user, secret string, change func(*paho.ClientConfig, *paho.Connect)) *paho.Client {
	t.Helper()
	// Without the wrapper a ping, of which the first is sent at once, may be written into the middle of another packet.
	config := paho.ClientConfig{Conn: packets5.NewThreadSafeConn(connection)}
	packet := &paho.Connect{
		ClientID: "paho5", CleanStart: true, KeepAlive: 30,
		UsernameFlag: true, Username: user, PasswordFlag: true, Password: []byte(secret),
	}
	if change != nil {
		change(&config, packet)
	}
	client := paho.NewClient(config)
	answer, err := client.Connect(bounded(t), packet)
	if err != nil {
		t.Fatalf("%s: connecting: %v, %v", user, answer, err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return client
}

// TestMQTTEvents checks what becomes of content types, user properties, gateways and dialects.
func TestMQTTEvents(t *testing.T) {
	g := ownMQTT(t)
	a := newTenant(t)
	a.device("gateway", password("g"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["gateway"]}}`)
	output, ok := mosquittoPub(t, g.tcp, "gateway@"+a.name, "g", "-V", "mqttv5", "-q", "1", "-t", "climate/sensor", "-m", `{"t": 1}`,
		"-D", "PUBLISH", "content-type", "text/plain", "-D", "PUBLISH", "user-property", "color", "blue",
		"-D", "PUBLISH", "user-property", "sender", "somebody")
	if !ok {
		t.Fatal(output)
	}
	records := a.records()
	i := slices.IndexFunc(records, func(r record) bool { return r.headers["ce_subject"] == "climate" })
	if i < 0 {
		t.Fatalf("no event in climate: %v", records)
	}
	r := records[i]
	for name, want := range map[string]string{
		"ce_device": "sensor", "ce_sender": "gateway", "content-type": "text/plain", "ce_color": "blue", "ce_type": "io.drogue.event.v1",
		"ce_deviceuid": a.deviceUID("sensor"), "ce_senderuid": a.deviceUID("gateway"),
	} {
		if r.headers[name] != want {
			t.Errorf("%s %q, want %q", name, r.headers[name], want)
		}
	}
	if r.payload != `{"t": 1}` {
		t.Errorf("payload %q", r.payload)
	}

	a.device("plain", `{"mqtt":{"dialect":{"type":"plainTopic"}},"authentication":{"credentials":[{"user":{"username":"joe","password":"p"}}]}}`)
	if output, ok := mosquittoPub(t, g.tcp, "joe", "p", "-i", "plain@"+a.name, "-q", "1", "-t", "a/b/c", "-m", "x"); !ok {
		t.Fatal(output)
	}
	a.expectStory("plain topics and a user name", "plain", "connected", "a/b/c: x", "disconnected")
}
