//go:build integration

package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/authority"
	"github.com/fairlead/fairlead/test/gatewaybin"
)

const assertionKeys = "FAIRLEAD_ASSERTION_KEYS=a key of the suite that has forty letters"

// sharedKey is long enough for GnuTLS, which takes none of three bytes.
const sharedKey = "hey-rodney"

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

// keyClients are programs that post with a pre-shared key, by a name: a request on standard input, and the answer on standard output.
var keyClients = map[string]func(host, port, identity, key string) []string{
	"openssl TLS 1.2": func(host, port, identity, key string) []string {
		return []string{"openssl", "s_client", "-quiet", "-tls1_2", "-connect", host + ":" + port, "-psk_identity", identity, "-psk", key}
	},
	"openssl TLS 1.3": func(host, port, identity, key string) []string {
		return []string{"openssl", "s_client", "-quiet", "-tls1_3", "-connect", host + ":" + port, "-psk_identity", identity, "-psk", key}
	},
	// GnuTLS 3.7 dies of ECDHE-PSK in TLS 1.2, whatever the server.
	"gnutls TLS 1.2": gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK"),
	"gnutls TLS 1.3": gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+PSK"),
}

func gnutls(priority string) func(host, port, identity, key string) []string {
	return func(host, port, identity, key string) []string {
		return []string{"gnutls-cli", "--logfile=/dev/null", "--port", port, "--pskusername", identity, "--pskkey", key, "--priority", priority, host}
	}
}

// post sends a message with a key, and is the status; 0 for no connection.
func (f *httpFront) post(t *testing.T, client, path, identity, key string) (status int) {
	t.Helper()
	host, port, err := net.SplitHostPort(f.address)
	if err != nil {
		t.Fatal(err)
	}
	arguments := keyClients[client](host, port, identity, hex.EncodeToString([]byte(key)))
	command := exec.CommandContext(bounded(t), arguments[0], arguments[1:]...)
	input, err := command.StdinPipe() // stays open: gnutls-cli ends with it
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	var output bytes.Buffer
	command.Stdout = &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(input, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", path)
	_ = command.Wait() // without a connection it fails
	_, rest, found := strings.Cut(output.String(), "HTTP/1.1 ")
	if !found {
		return 0
	}
	if status, err = strconv.Atoi(rest[:3]); err != nil {
		t.Fatalf("%s shows %q", client, output.String())
	}
	return status
}

// TestHTTPFront has devices post with every kind of credential, for themselves and for another device.
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
	mine, foreign := ca.issue("certified", time.Now().Add(time.Hour)), newAuthority(t, a.name).issue("certified", time.Now().Add(time.Hour))
	expired := ca.issue("certified", time.Now().Add(-time.Minute))
	accepted := 0
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
		check("a certificate beside a password", f.curl(t, "/v1/own", mine, least, most, version, "--user", "keyed@"+a.name+":p"), 403)
	}
	for client := range keyClients {
		each("a key, "+client, func(path string) int { return f.post(t, client, path, "keyed@"+a.name, sharedKey) })
		check("a wrong key, "+client, f.post(t, client, "/v1/own", "keyed@"+a.name, "wrong"), 0)
		check("an unknown identity, "+client, f.post(t, client, "/v1/own", "nobody@"+a.name, sharedKey), 0)
	}
	if got := len(a.records()); got != accepted {
		t.Errorf("%d events are stored, want %d", got, accepted)
	}
	a.device("keyed", keyed("p", "another"))
	for client := range keyClients {
		check("a key that was replaced, "+client, f.post(t, client, "/v1/own", "keyed@"+a.name, sharedKey), 0)
		check("the new key, "+client, f.post(t, client, "/v1/own", "keyed@"+a.name, "another"), 202)
	}
	a.device("keyed", `{"core":{"disabled":true},"authentication":{"credentials":[{"psk":{"key":`+quote(base64Of(sharedKey))+`}}]}}`)
	for client := range keyClients {
		check("a disabled device, "+client, f.post(t, client, "/v1/own", "keyed@"+a.name, sharedKey), 0)
	}
}
