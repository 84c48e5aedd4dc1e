package dtls

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	old "github.com/pion/dtls/v2"
	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"

	"github.com/fairlead/fairlead/internal/psk"
	"github.com/fairlead/fairlead/test/authority"
)

func TestPreSharedKey(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	for i, suite := range []dtls.CipherSuiteID{
		dtls.TLS_PSK_WITH_AES_128_GCM_SHA256, dtls.TLS_PSK_WITH_AES_128_CCM, dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_PSK_WITH_AES_256_CCM_8,
	} {
		conn := e.open(t, append(preShared("device@app", "secret"), dtls.WithCipherSuites(suite))...)
		talk(t, conn, "hello")
		session := e.accepted(t, i)
		if session.Identity() != "device@app" || len(session.Chain()) != 0 || session.Remote().String() != conn.LocalAddr().String() {
			t.Errorf("%v: identity %q, %d certificates, from %v", suite, session.Identity(), len(session.Chain()), session.Remote())
		}
	}
}

func TestKeyWithAnEnd(t *testing.T) {
	until := time.Now().Add(time.Hour)
	e := serve(t, DefaultConfig(), Secrets{Key: func(context.Context, []byte) (psk.Key, error) {
		return psk.Key{Secret: []byte("secret"), Until: until, Proof: "proof"}, nil
	}}, false)
	talk(t, e.open(t, preShared("x", "secret")...), "hello")
	session := e.accepted(t, 0)
	if got := session.Until(); !got.Equal(until) || session.Proof() != "proof" {
		t.Errorf("until %v with %q, want %v", got, session.Proof(), until)
	}
}

// TestWrongKey has clients without the key fail in the same way, whether or not there is one. Their time for the handshake is over
// before they repeat themselves, after a second.
func TestWrongKey(t *testing.T) {
	c := DefaultConfig()
	c.HandshakeTimeout = 300 * time.Millisecond
	e := serve(t, c, Secrets{}, false)
	f := func(identity, key string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		conn, err := dtls.ClientWithOptions(socket(t), net.UDPAddrFromAddrPort(e.Address()), preShared(identity, key)...)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.HandshakeContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("identity %q: %v, want a handshake that comes to nothing", identity, err)
		}
	}
	f("device@app", "wrong")
	f("nobody@app", "secret")
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.conns) != 0 {
		t.Errorf("%d sessions were accepted", len(e.conns))
	}
}

func TestNobodyCanSay(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	if _, err := e.connect(t, socket(t), preShared("away@app", "secret")...); err == nil || !strings.Contains(err.Error(), "InternalError") {
		t.Errorf("handshake without an answer of the registry: %v", err)
	}
}

func TestCertificates(t *testing.T) {
	ca := authority.New(t, "CA")
	server, client := ca.Issue("server", nil), ca.Issue("client", nil)
	e := serve(t, DefaultConfig(), Secrets{Certificate: func() (*tls.Certificate, error) { return &server, nil }}, false)
	accepted := 0
	f := func(want [][]byte, options ...dtls.ClientOption) {
		t.Helper()
		talk(t, e.open(t, append(options, dtls.WithInsecureSkipVerify(true))...), "hello")
		session := e.accepted(t, accepted)
		accepted++
		if session.Identity() != "" || !equal(session.Chain(), want) {
			t.Errorf("identity %q, chain of %d, want %d", session.Identity(), len(session.Chain()), len(want))
		}
	}
	f(client.Certificate, dtls.WithCertificates(client), dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256))
	f(client.Certificate, dtls.WithCertificates(client), dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8))
	f(nil, dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384))
	talk(t, e.open(t, preShared("device@app", "secret")...), "a key at the same listener")
}

// TestBothKindsOfSuites has clients that offer whatever their library can be served by their key, in whatever order they
// offer it.
func TestBothKindsOfSuites(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	withRSA, err := selfsign.SelfSign(key)
	if err != nil {
		t.Fatal(err)
	}
	// pion's client offers suites with certificates only if it may be asked for one.
	none := dtls.WithGetClientCertificate(func(*dtls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil })
	for _, server := range []tls.Certificate{authority.New(t, "CA").Issue("server", nil), withRSA} {
		e := serve(t, DefaultConfig(), Secrets{Certificate: func() (*tls.Certificate, error) { return &server, nil }}, false)
		for i, offered := range [][]dtls.CipherSuiteID{
			{dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_PSK_WITH_AES_128_CCM_8},
			{dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_PSK_WITH_AES_128_GCM_SHA256},
			{dtls.TLS_PSK_WITH_AES_128_CCM, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8},
		} {
			talk(t, e.open(t, append(preShared("device@app", "secret"), dtls.WithCipherSuites(offered...), none, dtls.WithInsecureSkipVerify(true))...), "hello")
			if session := e.accepted(t, i); session.Identity() != "device@app" || len(session.Chain()) != 0 {
				t.Errorf("%v: identity %q, %d certificates", offered, session.Identity(), len(session.Chain()))
			}
		}
	}
}

func TestWithoutACertificateThereAreOnlyKeys(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	if _, err := e.connect(t, socket(t), dtls.WithInsecureSkipVerify(true)); err == nil {
		t.Error("a client that wants a certificate got a session")
	}
}

func equal(a, b [][]byte) bool { return bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) }

// TestOldClients has devices of the field, which use the library's version 2, come in.
func TestOldClients(t *testing.T) {
	ca := authority.New(t, "CA")
	server, client := ca.Issue("server", nil), ca.Issue("client", nil)
	e := serve(t, DefaultConfig(), Secrets{Certificate: func() (*tls.Certificate, error) { return &server, nil }}, false)
	f := func(c *old.Config) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
		defer cancel()
		conn, err := old.DialWithContext(ctx, "udp", net.UDPAddrFromAddrPort(e.Address()), c)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		talk(t, conn, "hello")
	}
	f(&old.Config{PSK: func([]byte) ([]byte, error) { return []byte("secret"), nil }, PSKIdentityHint: []byte("device@app"),
		CipherSuites: []old.CipherSuiteID{old.TLS_PSK_WITH_AES_128_CCM_8}})
	f(&old.Config{PSK: func([]byte) ([]byte, error) { return []byte("secret"), nil }, PSKIdentityHint: []byte("device@app"),
		CipherSuites: []old.CipherSuiteID{old.TLS_PSK_WITH_AES_128_GCM_SHA256}})
	f(&old.Config{Certificates: []tls.Certificate{client}, InsecureSkipVerify: true})
	if got := e.accepted(t, 0).Identity(); got != "device@app" {
		t.Errorf("identity %q", got)
	}
	if got := e.accepted(t, 2).Chain(); !equal(got, client.Certificate) {
		t.Errorf("chain of %d", len(got))
	}
}

// memory is a client's own session store.
type memory struct {
	mu       sync.Mutex
	sessions map[string]dtls.Session
}

func (m *memory) Set(key []byte, s dtls.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions["server"] = s
	return nil
}

func (m *memory) Get([]byte) (dtls.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions["server"], nil
}

func (m *memory) Del([]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, "server")
	return nil
}

// id is of the session that the client would resume.
func (m *memory) id() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(m.sessions["server"].ID)
}

// TestResumption has a client resume its session, as the same identity, as long as its key stays the same.
func TestResumption(t *testing.T) {
	var key atomic.Value
	key.Store("secret")
	e := serve(t, DefaultConfig(), Secrets{Key: func(context.Context, []byte) (psk.Key, error) {
		return psk.Key{Secret: []byte(key.Load().(string))}, nil
	}}, false)
	mine := &memory{sessions: map[string]dtls.Session{}}
	options := append(preShared("device@app", "secret"), dtls.WithSessionStore(mine))
	talk(t, e.open(t, options...), "full")
	first := mine.id()
	talk(t, e.open(t, options...), "short")
	if mine.id() != first || first == "" {
		t.Error("the session was not resumed")
	}
	if got := e.accepted(t, 1).Identity(); got != "device@app" {
		t.Errorf("identity %q after the short handshake", got)
	}
	key.Store("another")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	conn, err := dtls.ClientWithOptions(socket(t), net.UDPAddrFromAddrPort(e.Address()), options...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.HandshakeContext(ctx); err == nil {
		t.Error("a session was resumed whose key has changed")
	}
}

func TestStoreIsBounded(t *testing.T) {
	c := DefaultConfig()
	c.Resumable = 2
	s := newStore(c)
	for _, id := range []string{"a", "b", "c"} {
		if err := s.Set([]byte(id), dtls.Session{ID: []byte(id)}); err != nil {
			t.Fatal(err)
		}
	}
	f := func(id string, want bool) {
		t.Helper()
		if session, err := s.Get([]byte(id)); err != nil || (len(session.ID) > 0) != want {
			t.Errorf("Get(%q) = %v, %v", id, session.ID, err)
		}
	}
	f("a", false)
	f("b", true)
	f("c", true)
	_ = s.Del([]byte("b"))
	f("b", false)
	if n := s.sessions.Len(); n != 1 {
		t.Errorf("%d sessions stored", n)
	}
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+":")) {
			t.Errorf("Validate() = %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.MaxSessions = 0 }, "maxSessions")
	f(func(c *Config) { c.MaxHandshakes = 0 }, "maxHandshakes")
	f(func(c *Config) { c.MaxUnproven = 0 }, "maxUnproven")
	f(func(c *Config) { c.HandshakeTimeout = 0 }, "handshakeTimeout")
	f(func(c *Config) { c.IdleTimeout = 0 }, "idleTimeout")
	f(func(c *Config) { c.Resumable = -1 }, "resumable")
	f(func(c *Config) { c.ResumableFor = 0 }, "resumableFor")
}

func TestEndOfASession(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	ours, theirs := e.open(t, preShared("device@app", "secret")...), e.open(t, preShared("device@app", "secret")...)
	talk(t, ours, "hello")
	talk(t, theirs, "hello")
	e.of(t, ours).Close()
	if _, err := ours.Read(make([]byte, 10)); !errors.Is(err, io.EOF) {
		t.Errorf("the client reads %v after our close_notify", err)
	}
	<-e.of(t, ours).Done()
	_ = theirs.Close()
	<-e.of(t, theirs).Done()
	if err := e.of(t, theirs).Write([]byte("x")); err == nil {
		t.Error("a message could be sent to a session that has ended")
	}
}
