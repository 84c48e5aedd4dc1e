package devcloud

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/authority"
)

// TestHTTPS has devices post through the gateway for HTTP, with a password and with a certificate, and nobody say of themselves who they are.
func TestHTTPS(t *testing.T) {
	devices := authority.New(t, "Devices")
	file := filepath.Join(t.TempDir(), "registry.yaml")
	text := fmt.Sprintf(`kind: Application
metadata: {name: plant}
spec: {trustAnchors: {anchors: [{certificate: %s}]}}
---
kind: Device
metadata: {application: plant, name: sensor}
spec: {alias: [%q], authentication: {credentials: [{pass: hey-rodney}]}}
---
kind: Device
metadata: {application: plant, name: pump}
spec: {gatewaySelector: {matchNames: [sensor]}}
`, base64.StdEncoding.EncodeToString(devices.PEM()), authority.DistinguishedName("sensor"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := anywhere()
	c.HTTPS, c.Registry = "127.0.0.1:0", []string{file}
	d := start(t, c)
	trusted, err := os.ReadFile(d.Note().CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	f := func(what string, want int, base, path string, change func(*http.Request), shown ...tls.Certificate) {
		t.Helper()
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: shown}}
		defer transport.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(r)
		}
		response, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %d, want %d", what, response.StatusCode, want)
		}
	}
	n := d.Note()
	basic := func(r *http.Request) { r.SetBasicAuth("sensor@plant", "hey-rodney") }
	mine, foreign := devices.Issue("sensor", nil), authority.New(t, "Devices").Issue("sensor", nil)
	f("a password", 202, n.HTTPS, "/v1/x", basic)
	f("a certificate", 202, n.HTTPS, "/v1/x", nil, mine)
	f("a certificate for another device", 202, n.HTTPS, "/v1/x?as=pump", nil, mine)
	f("a certificate for a device that does not select it", 403, n.HTTPS, "/v1/x?as=nobody", nil, mine)
	f("a foreign certificate", 403, n.HTTPS, "/v1/x", nil, foreign)
	f("nothing", 403, n.HTTPS, "/v1/x", nil)
	f("a forged assertion", 403, n.HTTP, "/v1/x", func(r *http.Request) {
		basic(r)
		r.Header.Set("X-Fairlead-Identity", "1.1.eA.none.eA")
	})
	f("a forged assertion to the gateway, which takes it out", 202, n.HTTPS, "/v1/x", func(r *http.Request) {
		basic(r)
		r.Header.Set("X-Fairlead-Identity", "1.1.eA.none.eA")
	})
}
