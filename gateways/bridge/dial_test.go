package bridge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/fairlead/fairlead/internal/ingest"
)

// A site is the certificate of a broker, and that of its authority, which are the same here; and the one of a stranger.
type site struct {
	certificate             tls.Certificate
	authorityFile, ownFile  string
	keyFile, strangersFile  string
	connections             chan net.Conn
	plain, encrypted        net.Listener
	webSocket, webSocketTLS *httptest.Server
}

// newSite starts a broker's listeners. Those with TLS ask for a certificate.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{connections: make(chan net.Conn, 1)}
	upgrade := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"mqtt"}})
		if err != nil || r.URL.Path != "/mqtt" || c.Subprotocol() != "mqtt" {
			t.Errorf("%s with %v: %v", r.URL, r.Header, err)
			return
		}
		s.connections <- websocket.NetConn(context.WithoutCancel(t.Context()), c, websocket.MessageBinary)
	})
	s.webSocket, s.webSocketTLS = httptest.NewServer(upgrade), httptest.NewUnstartedServer(upgrade)
	s.webSocketTLS.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	s.webSocketTLS.StartTLS()
	t.Cleanup(s.webSocket.Close)
	t.Cleanup(s.webSocketTLS.Close)
	s.certificate = s.webSocketTLS.TLS.Certificates[0]
	s.writeFiles(t)
	s.listen(t)
	return s
}

func (s *site) writeFiles(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := x509.MarshalPKCS8PrivateKey(s.certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	s.authorityFile = write("ca.pem", "CERTIFICATE", s.certificate.Certificate[0])
	s.ownFile, s.keyFile = s.authorityFile, write("key.pem", "PRIVATE KEY", key)
	s.strangersFile = write("none.pem", "PRIVATE KEY", key)
}

func (s *site) listen(t *testing.T) {
	t.Helper()
	var err error
	if s.plain, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.encrypted, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{s.certificate}, ClientAuth: tls.RequireAnyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []net.Listener{s.plain, s.encrypted} {
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				if encrypted, ok := c.(*tls.Conn); ok && encrypted.HandshakeContext(t.Context()) != nil {
					_ = c.Close()
					continue
				}
				s.connections <- c
			}
		}()
	}
}

func (s *site) url(scheme string) string {
	switch scheme {
	case schemeTCP:
		return "mqtt://" + s.plain.Addr().String()
	case schemeTLS:
		return "mqtts://" + s.encrypted.Addr().String()
	case schemeWS:
		return strings.Replace(s.webSocket.URL, "http", "ws", 1) + "/mqtt"
	default:
		return strings.Replace(s.webSocketTLS.URL, "https", "wss", 1) + "/mqtt"
	}
}

// TestTransports runs the bridge over each of them.
func TestTransports(t *testing.T) {
	s := newSite(t)
	for _, scheme := range []string{schemeTCP, schemeTLS, schemeWS, schemeWSS} {
		t.Run(scheme, func(t *testing.T) {
			c := testConfig()
			c.Broker.URL = s.url(scheme)
			c.Broker.CAFile, c.Broker.CertificateFile, c.Broker.KeyFile = s.authorityFile, s.ownFile, s.keyFile
			f := newFixture(t, c)
			u, err := newUpstream(c, f.bridge.routes, f.bridge)
			if err != nil {
				t.Fatal(err)
			}
			f.bridge.upstream = u
			f.start()
			l := newLink(t, <-s.connections)
			l.welcome(false)
			large := strings.Repeat("x", ingest.DefaultConfig().MaxBody)
			l.publish(1, "site/a/x", large)
			l.publish(2, "site/a/x", "2")
			l.acknowledged(1, 2)
			f.finish()
			if got := f.writer.values(); len(got) != 2 || got[0] != large || got[1] != "2" {
				t.Errorf("stored %d messages", len(got))
			}
		})
	}
}

func TestDialFails(t *testing.T) {
	s := newSite(t)
	f := func(scheme string, change func(*BrokerConfig), want string) {
		t.Helper()
		c := DefaultConfig().Broker
		c.URL, c.CAFile, c.CertificateFile, c.KeyFile = s.url(scheme), s.authorityFile, s.ownFile, s.keyFile
		change(&c)
		address, err := parseURL(c.URL)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := (&dialer{url: address, config: c, maxPacket: 1024}).dial(t.Context())
		if err == nil {
			_ = conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", scheme, err, want)
		}
	}
	for _, scheme := range []string{schemeTLS, schemeWSS} {
		f(scheme, func(c *BrokerConfig) { c.CAFile = "" }, "certificate")
		f(scheme, func(c *BrokerConfig) { c.CAFile = s.strangersFile }, "holds no certificate")
		f(scheme, func(c *BrokerConfig) { c.CAFile = "/nowhere/ca.pem" }, "/nowhere/ca.pem")
		f(scheme, func(c *BrokerConfig) { c.KeyFile = s.authorityFile }, "the certificate of the bridge")
		f(scheme, func(c *BrokerConfig) { c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1) }, "")
	}
	f(schemeWS, func(c *BrokerConfig) { s.webSocket.Config.Handler = http.NotFoundHandler() }, "404")
	f(schemeTCP, func(c *BrokerConfig) { _ = s.plain.Close() }, "refused")
}

// TestFilesAreReadAtTheStart has a mistake in them stop the bridge where somebody sees it.
func TestFilesAreReadAtTheStart(t *testing.T) {
	c := testConfig()
	c.Broker.CAFile = filepath.Join(t.TempDir(), "missing.pem")
	if _, err := New(c, &door{}, ingest.New(ingest.DefaultConfig(), &recordWriter{}), nil); err == nil || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("New: %v", err)
	}
}

// TestConnSendsPacketsWhole has a packet of several pieces leave as one.
func TestConnSendsPacketsWhole(t *testing.T) {
	ours, theirs := net.Pipe()
	c := newConn(ours, 1024, time.Minute)
	go func() {
		c.Lock()
		defer c.Unlock()
		for _, piece := range []string{"one ", "packet ", "in pieces"} {
			if _, err := io.WriteString(c, piece); err != nil {
				t.Error(err)
			}
		}
	}()
	b := make([]byte, 100)
	n, err := theirs.Read(b) // of a pipe, what was one Write
	if err != nil || string(b[:n]) != "one packet in pieces" {
		t.Errorf("read %q, %v", b[:n], err)
	}
}

// TestConnGivesUpWriting has a broker that reads nothing.
func TestConnGivesUpWriting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c := newConn(ours, 1024, time.Minute)
		began := time.Now()
		c.Lock()
		if _, err := io.WriteString(c, "packet"); err != nil {
			t.Error(err)
		}
		c.Unlock()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("gave up after %v", took)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the connection lives on")
		}
		synctest.Wait()
	})
}
