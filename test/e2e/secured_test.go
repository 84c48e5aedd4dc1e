//go:build integration

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/fairlead/fairlead/test/pskclient"
)

// sharedKey is long enough for GnuTLS, which takes none of three bytes.
const sharedKey = "hey-rodney"

// A proof is what a client shows: a certificate or a pre-shared key in the handshake, a user name and a password in the protocol, or nothing.
type proof struct {
	certificate    *identity
	identity, key  string
	user, password string
}

// withKey is a proof with a pre-shared key.
func withKey(device, key string, a *tenant) proof {
	return proof{identity: device + "@" + a.name, key: key}
}

// withPassword is a proof with a password.
func withPassword(device, password string, a *tenant) proof {
	return proof{user: device + "@" + a.name, password: password}
}

// kind names what a proof is of.
func (p proof) kind() string {
	switch {
	case p.certificate != nil:
		return "certificate"
	case p.identity != "":
		return "key"
	default:
		return "password"
	}
}

// hexKey is the key as OpenSSL, GnuTLS and mosquitto take it.
func (p proof) hexKey() string { return hex.EncodeToString([]byte(p.key)) }

// opensslKey is what OpenSSL's client is told of the key.
func (p proof) opensslKey() []string {
	return []string{"-psk_identity", p.identity, "-psk", p.hexKey()}
}

// A securer connects to a server over TLS, with one version of it. The certificate of the server comes from the authority in a file. Some
// programs do not tell that the handshake failed before something is read.
type securer struct {
	name    string
	connect func(t *testing.T, ca, address string, p proof) (net.Conn, error)
}

// securers are those for proofs of a kind: OpenSSL and GnuTLS for keys, and crypto/tls for all others.
func securers(kind string) []securer {
	if kind != "key" {
		return []securer{{"1.2", dialTLS(tls.VersionTLS12)}, {"1.3", dialTLS(tls.VersionTLS13)}}
	}
	of := func(connect func(address, version, identity, key string) (*pskclient.Command, error), version string) func(*testing.T, string, string, proof) (net.Conn, error) {
		return func(t *testing.T, _, address string, p proof) (net.Conn, error) {
			t.Helper()
			command, err := connect(address, version, p.identity, p.key)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = command.Close() })
			return command, nil
		}
	}
	return []securer{
		{"openssl-1.2", of(pskclient.OpenSSL, "tls1_2")}, {"openssl-1.3", of(pskclient.OpenSSL, "tls1_3")},
		{"gnutls-1.2", of(pskclient.GnuTLS, "1.2")}, {"gnutls-1.3", of(pskclient.GnuTLS, "1.3")},
	}
}

// dialTLS connects with crypto/tls.
func dialTLS(version uint16) func(*testing.T, string, string, proof) (net.Conn, error) {
	return func(t *testing.T, ca, address string, p proof) (net.Conn, error) {
		t.Helper()
		config := trusting(t, ca)
		config.MinVersion, config.MaxVersion = version, version
		if p.certificate != nil {
			config.Certificates = []tls.Certificate{p.certificate.pair()}
		}
		conn, err := (&tls.Dialer{Config: config}).DialContext(bounded(t), "tcp", address)
		if err == nil {
			t.Cleanup(func() { _ = conn.Close() })
		}
		return conn, err
	}
}

// overWebSocket has a connection carry MQTT in a WebSocket.
func overWebSocket(t *testing.T, conn net.Conn) (net.Conn, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
	frames, response, err := websocket.Dial(bounded(t), "ws://localhost/mqtt", &websocket.DialOptions{Subprotocols: []string{"mqtt"}, HTTPClient: client})
	if err != nil {
		if response != nil && response.Body != nil {
			_ = response.Body.Close()
		}
		return nil, err
	}
	return websocket.NetConn(context.WithoutCancel(t.Context()), frames, websocket.MessageBinary), nil
}

// inAnHour is when what a test issues ends, unless it is about the end.
func inAnHour() time.Time { return time.Now().Add(time.Hour) }
