//go:build integration

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/test/gatewaybin"
	"github.com/fairlead/fairlead/test/neighbour"
)

const assertionKeys = "FAIRLEAD_ASSERTION_KEYS=a key of the suite that has forty letters"

// An httpFront is a process of the HTTP gateway before a telemetry function of its own.
type httpFront struct {
	*gatewaybin.Gateway
	address, ca string
}

// startFront starts both for one test.
func startFront(t *testing.T) *httpFront {
	t.Helper()
	function := ownTelemetry(t, assertionKeys)
	program, err := gatewayProgram()
	if err != nil {
		t.Fatal(err)
	}
	files, err := authority.Ensure(filepath.Join(here.dir, "http-tls"))
	if err != nil {
		t.Fatal(err)
	}
	f := &httpFront{ca: files.Authority}
	if f.address, err = gatewaybin.FreeAddress(); err != nil {
		t.Fatal(err)
	}
	f.Gateway, err = program.Start(bounded(t), "http", append(here.remoteAuthentication(), assertionKeys,
		"FAIRLEAD_HTTP_TLS_ADDRESS="+f.address, "FAIRLEAD_HTTP_TLS_CERTIFICATE_FILE="+files.Certificate, "FAIRLEAD_HTTP_TLS_KEY_FILE="+files.Key,
		"FAIRLEAD_HTTP_TELEMETRY_URL="+function.URL())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// curl posts with the real curl; without a certificate for i nil.
func (f *httpFront) curl(t *testing.T, path string, i *identity, more ...string) int {
	t.Helper()
	arguments := append([]string{"--cacert", f.ca}, more...)
	if i != nil {
		arguments = append(arguments, i.files()...)
	}
	return curl(t, []byte("x"), append(arguments, "https://"+f.address+path)...).status
}

// An httpLink is a connection on which one request follows the other.
type httpLink struct {
	net.Conn
	answers *bufio.Reader
}

// link connects; nil is for a handshake that fails at once.
func (f *httpFront) link(t *testing.T, s securer, p proof) *httpLink {
	t.Helper()
	conn, err := s.connect(t, f.ca, f.address, p)
	if err != nil {
		return nil
	}
	return &httpLink{conn, bufio.NewReader(conn)}
}

// post sends a message, and is the status; 0 for no connection.
func (l *httpLink) post(path string) int {
	if l == nil {
		return 0
	}
	if _, err := fmt.Fprintf(l, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", path); err != nil {
		return 0
	}
	response, err := http.ReadResponse(l.answers, &http.Request{Method: http.MethodPost})
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

// post sends one message on a connection of its own.
func (f *httpFront) post(t *testing.T, s securer, path string, p proof) int {
	t.Helper()
	l := f.link(t, s, p)
	if l != nil {
		defer l.Close()
	}
	return l.post(path)
}

// TestHTTPFront has devices post with every kind of proof, for themselves and for another device.
func TestHTTPFront(t *testing.T) {
	f := startFront(t)
	a := newTenant(t)
	ca := newAuthority(t, a.name)
	a.trust(ca.pem())
	a.device("keyed", keyed("p", sharedKey))
	a.device("certified", certified("certified"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["keyed","certified"]}}`)
	check := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}
	mine, foreign := ca.issue("certified", inAnHour()), newAuthority(t, a.name).issue("certified", inAnHour())
	expired := ca.issue("certified", time.Now().Add(-time.Minute))
	// The topic is new, and whatever is asked is asked for the first time, which a busy machine may answer with 503.
	neighbour.Eventually(t, "a first message to be accepted", func() bool {
		return f.curl(t, "/v1/own", nil, "--user", "keyed@"+a.name+":p") == 202
	})
	accepted := len(a.records())
	each := func(what string, send func(path string) int) {
		t.Helper()
		check(what, send("/v1/own"), 202)
		check(what+" for another device", send("/v1/as?as=sensor"), 202)
		check(what+" for nobody", send("/v1/as?as=nobody"), 403)
		accepted += 2
	}
	for _, version := range []string{"1.2", "1.3"} {
		least, most := "--tlsv"+version, "--tls-max"
		each("a password, TLS "+version, func(path string) int {
			return f.curl(t, path, nil, least, most, version, "--user", "keyed@"+a.name+":p")
		})
		each("a certificate, TLS "+version, func(path string) int { return f.curl(t, path, mine, least, most, version) })
		check("a foreign certificate", f.curl(t, "/v1/own", foreign, least, most, version), 403)
		check("an expired certificate", f.curl(t, "/v1/own", expired, least, most, version), 403)
		check("a certificate for servers", f.curl(t, "/v1/own", ca.forServersOnly("certified"), least, most, version), 403)
		check("a certificate beside a password", f.curl(t, "/v1/own", mine, least, most, version, "--user", "keyed@"+a.name+":p"), 403)
	}
	for _, s := range securers("key") {
		each("a key, "+s.name, func(path string) int { return f.post(t, s, path, withKey("keyed", sharedKey, a)) })
		check("a wrong key, "+s.name, f.post(t, s, "/v1/own", withKey("keyed", "wrong-key", a)), 0)
		check("an unknown identity, "+s.name, f.post(t, s, "/v1/own", withKey("nobody", sharedKey, a)), 0)
	}
	if got := len(a.records()); got != accepted {
		t.Errorf("%d events are stored, want %d", got, accepted)
	}
}

// A proofWithdrawal takes away what a connection rests on. That ends a session over MQTT; over HTTP the next request is refused, and no other
// one follows. What is withdrawn admits nobody any more.
type proofWithdrawal struct {
	what   string
	proof  proof
	change func()
	after  *proof // what admits the device then; nil for nothing
}

// TestHTTPProofsThatAreWithdrawn takes them away under connections that are kept alive.
func TestHTTPProofsThatAreWithdrawn(t *testing.T) {
	f, a := startFront(t), newTenant(t)
	ca, next := newAuthority(t, a.name), newAuthority(t, a.name)
	mine, another := proof{certificate: ca.issue("d", inAnHour())}, withKey("d", "another", a)
	alias := `{"alias":[` + quote(subjectOf("d")) + `],`
	disabled := `{"core":{"disabled":true},"alias":[` + quote(subjectOf("d")) + `],`
	restore := func() {
		a.trust(ca.pem())
		a.device("d", strings.Replace(keyed("p", sharedKey), "{", alias, 1))
	}
	withdrawals := []proofWithdrawal{
		{"the key is withdrawn", withKey("d", sharedKey, a), func() { a.device("d", password("p")) }, nil},
		{"the key is replaced", withKey("d", sharedKey, a), func() { a.device("d", keyed("p", "another")) }, &another},
		{"the device of a key is disabled", withKey("d", sharedKey, a), func() { a.device("d", strings.Replace(keyed("p", sharedKey), "{", disabled, 1)) }, nil},
		{"the alias of a certificate is withdrawn", mine, func() { a.device("d", keyed("p", sharedKey)) }, nil},
		{"the device of a certificate is disabled", mine, func() { a.device("d", strings.Replace(password("p"), "{", disabled, 1)) }, nil},
		{"the authority is replaced", mine, func() { a.trust(next.pem()) }, &proof{certificate: next.issue("d", inAnHour())}},
	}
	for _, w := range withdrawals {
		t.Run(w.what, func(t *testing.T) {
			for _, s := range securers(w.proof.kind()) {
				restore()
				w.overHTTP(t, f, s)
			}
		})
	}
}

func (w proofWithdrawal) overHTTP(t *testing.T, f *httpFront, s securer) {
	t.Helper()
	neighbour.Eventually(t, "the device to be admitted with "+s.name, func() bool { return f.post(t, s, "/v1/x", w.proof) == 202 })
	kept := f.link(t, s, w.proof)
	for range 2 {
		if got := kept.post("/v1/x"); got != 202 {
			t.Fatalf("before, %s: %d", s.name, got)
		}
	}
	w.change()
	neighbour.Eventually(t, "a request on a connection that was kept to be refused", func() bool { return kept.post("/v1/x") == 403 })
	if got := kept.post("/v1/x"); got != 0 {
		t.Errorf("%s: the connection goes on: %d", s.name, got)
	}
	if got := f.post(t, s, "/v1/x", w.proof); got == 202 {
		t.Errorf("%s: the old proof is admitted", s.name)
	}
	if w.after != nil {
		neighbour.Eventually(t, "the new proof to be admitted with "+s.name, func() bool { return f.post(t, s, "/v1/x", *w.after) == 202 })
	}
}
