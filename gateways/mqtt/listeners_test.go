package mqtt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	v3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/coder/websocket"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
)

// serverFiles writes a certificate for 127.0.0.1 and its key, and returns what trusts it.
func serverFiles(t *testing.T) (certificateFile, keyFile string, trusted *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted = x509.NewCertPool()
	trusted.AddCert(certificate)
	return write("tls.crt", "CERTIFICATE", der), write("tls.key", "PRIVATE KEY", private), trusted
}

// everywhere is a gateway with all its transports.
func everywhere(t *testing.T, f *fixture) (at running, trusted *x509.CertPool) {
	t.Helper()
	c := f.config
	certificateFile, keyFile, trusted := serverFiles(t)
	c.TCP.Address, c.TLS.Address, c.WebSocket.Address, c.WebSocketTLS.Address = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.TLS.CertificateFile, c.TLS.KeyFile = certificateFile, keyFile
	c.WebSocketTLS.CertificateFile, c.WebSocketTLS.KeyFile = certificateFile, keyFile
	l, err := protocol.Listen(c.ListenConfig, c.Keys(f.devices), f.log)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, f.Gateway, l), trusted
}

func TestEveryTransport(t *testing.T) {
	f := newFixture(nil)
	at, trusted := everywhere(t, f)
	secure := func(o *v3.ClientOptions) { o.SetTLSConfig(&tls.Config{RootCAs: trusted}) }
	g := func(url string, change func(*v3.ClientOptions)) {
		t.Helper()
		c := open3(t, url, change)
		if err := done(t, c.Connect()); err != nil {
			t.Errorf("%s: %v", url, err)
			return
		}
		before := len(f.writer.all())
		if err := done(t, c.Publish("temp", 1, false, "x")); err != nil || len(f.writer.all()) != before+1 {
			t.Errorf("%s: %v", url, err)
		}
	}
	g("tcp://"+at.TCP.Addr().String(), nil)
	g("ssl://"+at.TLS.Addr().String(), secure)
	g("ws://"+at.WebSocket.Addr().String()+"/any/path", nil)
	g("wss://"+at.WebSocketTLS.Addr().String()+"/mqtt", secure)
}

func TestVersion5OverWebSocket(t *testing.T) {
	f := newFixture(nil)
	at, _ := everywhere(t, f)
	frames, _, err := websocket.Dial(t.Context(), "ws://"+at.WebSocket.Addr().String(), &websocket.DialOptions{Subprotocols: []string{"mqtt"}})
	if err != nil {
		t.Fatal(err)
	}
	c := open5(t, websocket.NetConn(context.Background(), frames, websocket.MessageBinary), nil)
	if got := c.connect5(t, login5()); got.ReasonCode != 0 {
		t.Fatalf("%#x", got.ReasonCode)
	}
	f.roll.claims[0].lost()
	if d := soon(t, "DISCONNECT", c.left); d.ReasonCode != 0x8E {
		t.Errorf("%#x", d.ReasonCode)
	}
}

// A client certificate admits the device, over TLS and over WebSocket.
func TestClientCertificates(t *testing.T) {
	f := newFixture(nil)
	at, trusted := everywhere(t, f)
	ca, leaf, key := newCertificates(t, "app", "device", time.Hour)
	f.documents.trust("app", ca)
	f.documents.putDevice("app", "device", "uid-device", `{"alias":["CN=device"]}`)
	g := func(url string, chain ...[]byte) {
		t.Helper()
		c := open3(t, url, func(o *v3.ClientOptions) {
			o.SetUsername("").SetPassword("")
			o.SetTLSConfig(&tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: key}}})
		})
		if err := done(t, c.Connect()); err != nil {
			t.Errorf("%s: %v", url, err)
			return
		}
		if err := done(t, c.Publish("temp", 1, false, "x")); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	g("ssl://"+at.TLS.Addr().String(), leaf.Raw)
	g("ssl://"+at.TLS.Addr().String(), leaf.Raw, ca.Raw)
	g("wss://"+at.WebSocketTLS.Addr().String(), leaf.Raw)
	if r := f.writer.all()[0]; header(r, "ce_device") != "device" {
		t.Errorf("device %q", header(r, "ce_device"))
	}
}
