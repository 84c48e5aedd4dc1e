//go:build integration

package e2e

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

const certificateProof = "a proof that nobody guesses"

// forwardedCertificate is the header of a certificate as nginx writes it.
func forwardedCertificate(der []byte) string {
	return `Cert="` + url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))) + `"`
}

// startIngress ends TLS before a function, and forwards the client's certificate in place of what the client says of one.
func startIngress(t *testing.T, function string) *httptest.Server {
	t.Helper()
	target, err := url.Parse(function)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
		r.Out.Header.Del("X-Forwarded-Client-Cert")
		r.Out.Header.Set("X-Fairlead-Proof", certificateProof)
		if peers := r.In.TLS.PeerCertificates; len(peers) > 0 {
			r.Out.Header.Set("X-Forwarded-Client-Cert", forwardedCertificate(peers[0].Raw))
		}
	}}
	ingress := httptest.NewUnstartedServer(proxy)
	ingress.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	ingress.StartTLS()
	t.Cleanup(ingress.Close)
	return ingress
}

// TestClientCertificateBehindAProxy has devices log in with a certificate over HTTP, whose TLS a proxy ends. What nobody proves to be the
// proxy's word is not believed.
func TestClientCertificateBehindAProxy(t *testing.T) {
	f := ownTelemetry(t, "FAIRLEAD_PROXIES_TRUSTED=127.0.0.0/8", "FAIRLEAD_PROXIES_CERTIFICATE_PROOF="+certificateProof)
	ingress := startIngress(t, f.URL())
	a := newTenant(t)
	authority := newAuthority(t, a.name)
	a.trust(authority.pem())
	a.device("dev", certified("dev"))
	mine := authority.issue("dev", time.Now().Add(time.Hour))
	foreign := newAuthority(t, a.name).issue("dev", time.Now().Add(time.Hour))

	send := func(what string, want int, base string, change func(*http.Request), shown ...tls.Certificate) {
		t.Helper()
		client := ingress.Client()
		transport := client.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = shown
		defer transport.CloseIdleConnections()
		r, err := http.NewRequestWithContext(bounded(t), http.MethodPost, base, http.NoBody)
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
			t.Errorf("%s: %s, want %d", what, response.Status, want)
		}
	}
	forged := func(r *http.Request) {
		r.Header.Set("X-Forwarded-Client-Cert", forwardedCertificate(mine.certificate.Raw))
	}
	const channel = "/v1/temp"
	send("a certificate", 202, ingress.URL+channel, nil, mine.pair())
	send("a certificate and the application's name", 202, ingress.URL+channel+"?application="+a.name, nil, mine.pair())
	send("one of another authority", 403, ingress.URL+channel, nil, foreign.pair())
	send("no certificate", 403, ingress.URL+channel, nil)
	send("the word of a client", 403, ingress.URL+channel, forged)
	send("the word of who has no proof", 403, f.URL()+channel, forged)
	send("a certificate beside a password", 403, ingress.URL+channel, func(r *http.Request) { r.SetBasicAuth("dev@"+a.name, "p") }, mine.pair())
	send("a certificate and a device's name", 403, ingress.URL+channel+"?device=dev", nil, mine.pair())
}
