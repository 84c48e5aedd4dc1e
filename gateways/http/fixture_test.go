package http

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/tlspsk"
	"github.com/fairlead/fairlead/test/authority"
)

const testKey = "a key for tests of thirty-two letters"

// patience bounds a wait that ends at once unless something is broken.
const patience = time.Minute

// A front is a gateway that runs until the test ends, before a function.
type front struct {
	*Gateway
	t       *testing.T
	address string
	servers *authority.Authority
	reports chan refusal.Report
	stop    func() error // ends the gateway, and is its result
}

// start runs a gateway that forwards to a URL.
func start(t *testing.T, url string, change func(*Config)) *front {
	t.Helper()
	c := DefaultConfig()
	servers := authority.New(t, "Servers")
	certificate, key, err := authority.WriteFiles(t.TempDir(), "server", servers.Issue("localhost", nil))
	if err != nil {
		t.Fatal(err)
	}
	c.TelemetryURL = url
	c.TLS.Address, c.TLS.CertificateFile, c.TLS.KeyFile = "127.0.0.1:0", certificate, key
	if change != nil {
		change(&c)
	}
	signer, err := assertion.NewSigner(assertion.Config{Keys: []string{testKey}})
	if err != nil {
		t.Fatal(err)
	}
	f := &front{t: t, servers: servers, reports: make(chan refusal.Report, 100)}
	refusals := refusal.NewLog(zap.NewNop(), func(r refusal.Report) { f.reports <- r })
	if f.Gateway, err = New(c, signer, refusals, zap.NewNop()); err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(c.TLS, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.address = listener.Addr().String()
	f.run(listener)
	return f
}

func (f *front) run(listener *tlspsk.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, listener) }()
	stopped := false
	f.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	f.t.Cleanup(func() {
		if err := f.stop(); err != nil {
			f.t.Error(err)
		}
	})
}

// function is what stands behind a gateway, and believes it.
func function(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(assertion.NewVerifier(assertion.Config{Keys: []string{testKey}}).Handler(handle))
	t.Cleanup(server.Close)
	return server
}

// trusting is the configuration of a client that shows certificates.
func (f *front) trusting(shown ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: f.servers.Pool(), Certificates: shown, ServerName: "localhost"}
}

// client is one over HTTP/1.1, or over HTTP/2.
func (f *front) client(version int, shown ...tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: f.trusting(shown...), ForceAttemptHTTP2: version == 2}
	if version == 1 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// send posts a body, and is the answer with its body read.
func (f *front) send(client *http.Client, path, body string, headers ...string) (*http.Response, string) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "https://"+f.address+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return response, string(text)
}

// A raw connection has requests be written as nobody should.
type raw struct {
	*tls.Conn
	t      *testing.T
	reader *bufio.Reader
}

func (f *front) dial() *raw {
	f.t.Helper()
	conn, err := tls.Dial("tcp", f.address, f.trusting())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &raw{conn, f.t, bufio.NewReader(conn)}
}

func (r *raw) say(text string) {
	r.t.Helper()
	if _, err := io.WriteString(r, text); err != nil {
		r.t.Fatal(err)
	}
}

// answer reads one.
func (r *raw) answer() (status int, body string) {
	r.t.Helper()
	response, err := http.ReadResponse(r.reader, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// served tells whether a request is answered.
func (r *raw) served() bool {
	r.t.Helper()
	if _, err := io.WriteString(r, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return false
	}
	response, err := http.ReadResponse(r.reader, nil)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// await takes from a channel.
func await[T any](t *testing.T, what string, from <-chan T) (value T) {
	t.Helper()
	select {
	case value = <-from:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return value
}
