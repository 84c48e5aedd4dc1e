package coap

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/fairlead/fairlead/test/authority"
)

func TestPreSharedKey(t *testing.T) {
	s := start(t, nil)
	s.device("sensor", `{"gatewaySelector":{"matchNames":["device"]}}`)
	s.device("other", `{}`)
	conn := s.secure(preShared("device@app", "key")...)
	f := func(want codes.Code, a ask) {
		t.Helper()
		if got := do(t, conn, a); got.code != want {
			t.Errorf("%v %q, want %v", got.code, got.body, want)
		}
	}
	f(codes.Changed, post("/v1/x", "x"))
	f(codes.Changed, post("/v1/x", strings.Repeat("x", 5000)))
	if r := s.writer.last(t); header(r, "ce_device") != "device" || header(r, "ce_deviceuid") != "uid-device" || len(r.Value) != 5000 {
		t.Errorf("of %q, %d bytes", header(r, "ce_device"), len(r.Value))
	}
	f(codes.Changed, post("/v1/x", "x").query("as=sensor"))
	if r := s.writer.last(t); header(r, "ce_device") != "sensor" || header(r, "ce_sender") != "device" {
		t.Errorf("of %q, sent by %q", header(r, "ce_device"), header(r, "ce_sender"))
	}
	f(codes.Changed, post("/v1/x", "x").query("as=device"))
	f(codes.Forbidden, post("/v1/x", "x").query("as=other"))
	f(codes.Forbidden, post("/v1/x", "x").query("as=nobody"))
	f(codes.Forbidden, post("/v1/x", "x", basic("device@app", "secret"))) // two log-ins at once
	f(codes.Forbidden, post("/v1/x", "x").query("application=app"))
	f(codes.Forbidden, post("/v1/x", "x").query("device=device"))
	f(codes.Changed, post("/v1/x", "x"))
}

func TestKeysThatDoNotWork(t *testing.T) {
	s := start(t, nil)
	s.device("off", `{"core":{"disabled":true},"authentication":{"credentials":[{"psk":{"key":"a2V5"}}]}}`)
	s.device("old", `{"authentication":{"credentials":[{"psk":{"key":"a2V5","validity":{"notBefore":"2020-01-01T00:00:00Z","notAfter":"2021-01-01T00:00:00Z"}}}]}}`)
	f := func(identity, key string) {
		t.Helper()
		if _, err := s.handshake(500*time.Millisecond, preShared(identity, key)...); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want a handshake that comes to nothing", identity, err)
		}
	}
	f("device@app", "wrong")
	f("nobody@app", "key")
	f("device", "key")
	f("off@app", "key")
	f("old@app", "key")
	s.fail(errors.New("the database is away"))
	if _, err := s.handshake(waitLimit, preShared("device@app", "key")...); err == nil || !strings.Contains(err.Error(), "InternalError") {
		t.Errorf("without an answer of the registry: %v", err)
	}
}

// trust is the specification of an application that trusts an authority.
func trust(ca *authority.Authority) string {
	return fmt.Sprintf(`{"trustAnchors":{"anchors":[{"certificate":%q}]}}`, base64.StdEncoding.EncodeToString(ca.PEM()))
}

func TestCertificate(t *testing.T) {
	s := start(t, nil)
	devices, strangers := authority.New(t, "App"), authority.New(t, "App")
	s.application("app", trust(devices))
	s.device("Device 1", fmt.Sprintf(`{"alias":[%q]}`, authority.DistinguishedName("Device 1")))
	s.device("sensor", `{"gatewaySelector":{"matchNames":["Device 1"]}}`)
	conn := s.secure(s.withCertificate(devices.Issue("Device 1", nil))...)
	if got := do(t, conn, post("/v1/x", "x")); got.code != codes.Changed || header(s.writer.last(t), "ce_device") != "Device 1" {
		t.Errorf("%v %q", got.code, got.body)
	}
	if got := do(t, conn, post("/v1/x", "x").query("as=sensor")); got.code != codes.Changed || header(s.writer.last(t), "ce_device") != "sensor" {
		t.Errorf("%v %q", got.code, got.body)
	}

	refused := func(conn *client.Conn) {
		t.Helper()
		if got := do(t, conn, post("/v1/x", "x")); got.code != codes.Forbidden {
			t.Errorf("%v %q", got.code, got.body)
		}
	}
	refused(s.secure(s.withCertificate(strangers.Issue("Device 1", nil))...)) // another authority of the same name
	refused(s.secure(s.withCertificate(devices.Issue("Device 2", nil))...))
	refused(s.secure(s.withCertificate(devices.Issue("Device 1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }))...))
	refused(s.secure(s.withCertificate()...)) // none, and no log-in either
	if got := do(t, s.secure(s.withCertificate()...), post("/v1/x", "x", basic("device@app", "secret"))); got.code != codes.Changed {
		t.Errorf("a password over DTLS: %v %q", got.code, got.body)
	}
}

// ended waits until the gateway has ended a client's session.
func ended(t *testing.T, what string, conn *client.Conn) {
	t.Helper()
	select {
	case <-conn.Done():
	case <-time.After(waitLimit):
		t.Errorf("%s: the session goes on", what)
	}
}

// TestRevocation has the registry take back, or only change, what a session rests on.
func TestRevocation(t *testing.T) {
	s := start(t, nil)
	const device = `{"authentication":{"credentials":[{"psk":{"key":"a2V5"}}]}}`
	open := func() *client.Conn {
		t.Helper()
		s.device("device", device)
		s.application("app", `{}`)
		conn := s.secure(preShared("device@app", "key")...)
		if got := do(t, conn, post("/v1/x", "x")); got.code != codes.Changed {
			t.Fatalf("%v %q", got.code, got.body)
		}
		return conn
	}
	f := func(what string, change func()) {
		t.Helper()
		conn := open()
		change()
		ended(t, what, conn)
	}
	f("device disabled", func() {
		s.device("device", `{"core":{"disabled":true},"authentication":{"credentials":[{"psk":{"key":"a2V5"}}]}}`)
	})
	f("application disabled", func() { s.application("app", `{"core":{"disabled":true}}`) })
	f("device made anew", func() { s.deviceWith("device", "another", device) })

	conn := open()
	s.device("device", `{"authentication":{"credentials":[{"psk":{"key":"a2V5"}}]},"labels":{}}`)
	s.application("app", `{"something":{}}`)
	s.device("other", `{}`)
	for range 20 {
		if got := do(t, conn, post("/v1/x", "x")); got.code != codes.Changed {
			t.Fatalf("after a change that does not matter: %v %q", got.code, got.body)
		}
	}
	// Nobody can say whether the device is still admitted, and then somebody can.
	s.fail(errors.New("the database is away"))
	s.device("device", `{"core":{"disabled":true}}`)
	if got := do(t, conn, post("/v1/x", "x")); got.code != codes.Changed {
		t.Errorf("while nobody can say: %v %q", got.code, got.body)
	}
	s.fail(nil)
	ended(t, "device disabled while the registry was away", conn)
}

func TestNobodySaysForTooLong(t *testing.T) {
	s := start(t, func(c *Config) { c.ReadmissionTimeout = 300 * time.Millisecond })
	conn := s.secure(preShared("device@app", "key")...)
	do(t, conn, post("/v1/x", "x"))
	s.fail(errors.New("the database is away"))
	s.device("device", `{}`)
	ended(t, "no decision", conn)
}

// TestAdmissionComesLater has nobody say anything when the session begins.
func TestAdmissionComesLater(t *testing.T) {
	s := start(t, nil)
	devices := authority.New(t, "App")
	s.application("app", trust(devices))
	s.device("Device 1", fmt.Sprintf(`{"alias":[%q]}`, authority.DistinguishedName("Device 1")))
	s.fail(errors.New("the database is away"))
	conn := s.secure(s.withCertificate(devices.Issue("Device 1", nil))...)
	if got := do(t, conn, post("/v1/x", "x")); got.code != codes.ServiceUnavailable {
		t.Errorf("%v %q", got.code, got.body)
	}
	s.fail(nil)
	eventually(t, "the device to be admitted", func() bool { return do(t, conn, post("/v1/x", "x")).code == codes.Changed })
}

func TestSessionsEndWithWhatTheyRestOn(t *testing.T) {
	s := start(t, nil)
	devices := authority.New(t, "App")
	s.application("app", trust(devices))
	s.device("Device 1", fmt.Sprintf(`{"alias":[%q]}`, authority.DistinguishedName("Device 1")))
	for _, life := range []time.Duration{3 * time.Second, 30 * time.Second} { // the second where the first is too short to log in
		short := devices.Issue("Device 1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(life) })
		conn := s.secure(s.withCertificate(short)...)
		got := do(t, conn, post("/v1/x", "x"))
		ended(t, "the certificate has ended", conn)
		if got.code == codes.Changed {
			break
		}
		if life > 3*time.Second {
			t.Errorf("before the certificate has ended: %v %q", got.code, got.body)
		}
	}
	for _, life := range []time.Duration{3 * time.Second, 30 * time.Second} {
		until := time.Now().Add(life).UTC().Format(time.RFC3339)
		s.device("short", `{"authentication":{"credentials":[{"psk":{"key":"a2V5","validity":{"notBefore":"2020-01-01T00:00:00Z","notAfter":"`+until+`"}}}]}}`)
		conn, err := s.handshake(life, preShared("short@app", "key")...)
		if err == nil {
			ended(t, "the key has ended", s.client(conn))
			break
		}
		if life > 3*time.Second {
			t.Errorf("before the key has ended: %v", err)
		}
	}
	stranger := s.secure(s.withCertificate(authority.New(t, "Elsewhere").Issue("x", nil))...)
	go func() {
		for stranger.Context().Err() == nil { // asking does not keep it
			_, _ = try(context.Background(), stranger, post("/v1/x", "x"))
		}
	}()
	ended(t, "the certificate is nobody's", stranger)
}
