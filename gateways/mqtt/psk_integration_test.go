//go:build integration && psk

package mqtt

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	v3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/test/pskclient"
)

const keyed = `{"authentication":{"credentials":[{"psk":{"key":"MDEyMzQ1Njc4OWFiY2RlZg=="}}]}}` // 0123456789abcdef

// A connector makes the connection of a client with a pre-shared key.
type connector func(address, identity, key string) (*pskclient.Command, error)

// connectors are the programs, with the versions of TLS that they are told to speak.
func connectors() map[string]connector {
	of := func(connect func(address, version, identity, key string) (*pskclient.Command, error), version string) connector {
		return func(address, identity, key string) (*pskclient.Command, error) {
			return connect(address, version, identity, key)
		}
	}
	return map[string]connector{
		"openssl 1.2": of(pskclient.OpenSSL, "tls1_2"),
		"openssl 1.3": of(pskclient.OpenSSL, "tls1_3"),
		"gnutls 1.2":  of(pskclient.GnuTLS, "1.2"),
		"gnutls 1.3":  of(pskclient.GnuTLS, "1.3"),
	}
}

// dialKeyed connects to a gateway, and has MQTT spoken over WebSocket if it is told to.
func dialKeyed(t *testing.T, connect connector, at running, web bool, key string) (net.Conn, error) {
	t.Helper()
	address := at.TLS.Addr().String()
	if web {
		address = at.WebSocketTLS.Addr().String()
	}
	conn, err := connect(address, "device@app", key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if !web {
		return conn, nil
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
	frames, _, err := websocket.Dial(t.Context(), "ws://"+address, &websocket.DialOptions{Subprotocols: []string{"mqtt"}, HTTPClient: client})
	if err != nil {
		return nil, err
	}
	return websocket.NetConn(context.Background(), frames, websocket.MessageBinary), nil
}

// keyedClient is a client of version 3.1.1 that names nobody. gone is closed when it has lost its connection.
func keyedClient(t *testing.T, link net.Conn) (c v3.Client, gone chan struct{}) {
	t.Helper()
	gone = make(chan struct{})
	c = open3(t, "tcp://localhost:1", func(o *v3.ClientOptions) {
		o.SetUsername("").SetPassword("")
		o.SetCustomOpenConnectionFn(func(*url.URL, v3.ClientOptions) (net.Conn, error) { return link, nil })
		o.SetConnectionLostHandler(func(v3.Client, error) { close(gone) })
	})
	return c, gone
}

// TestPreSharedKeys has OpenSSL and GnuTLS prove a key, over TLS and over WebSocket: for the device itself, and for another one
// that it may speak for. The key is then withdrawn, or replaced, which ends the session.
func TestPreSharedKeys(t *testing.T) {
	replaced := strings.Replace(keyed, "MDEy", "QURD", 1)
	for name, connect := range connectors() {
		for transport, web := range map[string]bool{"TLS": false, "WebSocket": true} {
			t.Run(name+" "+transport, func(t *testing.T) {
				f := newFixture(nil)
				reports := make(chan refusal.Report, 100)
				f.pipeline.ReportTo(refusal.NewLog(nil, func(r refusal.Report) { reports <- r }))
				f.documents.putDevice("app", "device", "uid-device", keyed)
				at, _ := everywhere(t, f)
				for _, after := range []string{"", replaced} {
					f.documents.putDevice("app", "device", "uid-device", keyed)
					f.changed("app", "device")
					link, err := dialKeyed(t, connect, at, web, "0123456789abcdef")
					if err != nil {
						t.Fatal(err)
					}
					c, gone := keyedClient(t, link)
					if err := done(t, c.Connect()); err != nil {
						t.Fatal(err)
					}
					before := len(f.writer.all())
					for _, topic := range []string{"temp", "temp/other"} {
						if err := done(t, c.Publish(topic, 1, false, "x")); err != nil {
							t.Fatal(err)
						}
					}
					stored := f.writer.all()[before:]
					if len(stored) != 2 || header(stored[0], "ce_device") != "device" || header(stored[1], "ce_device") != "other" || header(stored[1], "ce_sender") != "device" {
						t.Fatalf("%d are stored", len(stored))
					}
					f.documents.putDevice("app", "device", "uid-device", after)
					f.changed("app", "device")
					soon(t, "the end of the session", gone)
				}
				if link, err := dialKeyed(t, connect, at, web, "another key"); err == nil {
					c, _ := keyedClient(t, link)
					if err := done(t, c.Connect()); err == nil {
						t.Error("a wrong key is admitted")
					}
				}
				expectHandshake(t, reports)
			})
		}
	}
}

// expectHandshake waits for the report of a handshake in which the device has not proven its key.
func expectHandshake(t *testing.T, reports <-chan refusal.Report) {
	t.Helper()
	for {
		select {
		case r := <-reports:
			if r.Where == "TLS handshake" {
				if r.Application != "app" || r.Device != "device" || r.Outcome != outcome.Unauthenticated || r.Answer != "connection closed" {
					t.Errorf("%+v", r)
				}
				return
			}
		case <-time.After(time.Minute):
			t.Fatal("no handshake is reported")
		}
	}
}

// TestMosquittoWithKey publishes with mosquitto_pub.
func TestMosquittoWithKey(t *testing.T) {
	f := newFixture(nil)
	f.documents.putDevice("app", "device", "uid-device", keyed)
	f.documents.putDevice("app", "off", "uid-off", strings.Replace(keyed, "{", `{"core":{"disabled":true},`, 1))
	at, _ := everywhere(t, f)
	host, port, err := net.SplitHostPort(at.TLS.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	publish := func(version, identity, key string) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return exec.CommandContext(ctx, "mosquitto_pub", "-h", host, "-p", port, "--psk-identity", identity, "--psk", hex.EncodeToString([]byte(key)),
			"--tls-version", version, "-t", "temp", "-q", "1", "-m", "x").Run()
	}
	for _, version := range []string{"tlsv1.2", "tlsv1.3"} {
		before := len(f.writer.all())
		if err := publish(version, "device@app", "0123456789abcdef"); err != nil || len(f.writer.all()) != before+1 {
			t.Errorf("%s: %v", version, err)
		}
		for identity, key := range map[string]string{
			"device@app": "wrong", "nobody@app": "0123456789abcdef", "device@nowhere": "0123456789abcdef", "device": "0123456789abcdef", "off@app": "0123456789abcdef",
		} {
			if err := publish(version, identity, key); err == nil {
				t.Errorf("%s: %s is admitted", version, identity)
			}
		}
	}
	if n := len(f.writer.all()); n != 2 {
		t.Errorf("%d messages are stored", n)
	}
}
