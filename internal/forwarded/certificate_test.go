package forwarded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// certificateOf makes a certificate as a proxy forwards it.
func certificateOf(t testing.TB, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

func TestClientCertificate(t *testing.T) {
	const proof = "correct horse battery"
	believing := Config{Trusted: []string{"127.0.0.0/8"}, CertificateProof: proof}
	f := func(want string, c Config, peer string, proofs []string, lines ...string) {
		t.Helper()
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = peer
		r.Header[proofHeader], r.Header[clientCertificate] = proofs, lines
		var got []string
		p.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.TLS != nil {
				for _, c := range r.TLS.PeerCertificates {
					got = append(got, c.Subject.CommonName)
				}
			}
			if len(c.Trusted) > 0 && strings.HasPrefix(peer, "127.") && (r.Header.Get(proofHeader) != "" || r.Header.Get(clientCertificate) != "") {
				t.Error("the headers are handed on")
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
		if strings.Join(got, ",") != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	// As proxies write it: a space is %20.
	device, authority := strings.ReplaceAll(certificateOf(t, "device"), "+", "%20"), strings.ReplaceAll(certificateOf(t, "authority"), "+", "%20")
	cert, chain := `Cert="`+device+`"`, `Chain="`+device+authority+`"`
	const peer = "127.0.0.1:9"
	good := []string{proof}
	f("device", believing, peer, good, cert)
	f("device", believing, peer, good, `By=spiffe://x;Hash=abc;`+cert+`;Subject="CN=a,b;c"`)
	f("device,authority", believing, peer, good, cert+";"+chain)
	f("device", believing, peer, good, `Cert="`+authority+`",`+cert) // the nearest proxy's
	f("device", believing, peer, good, "cert="+device)

	f("", believing, peer, nil, cert)
	f("", believing, peer, []string{""}, cert)
	f("", believing, peer, []string{proof + "x"}, cert)
	f("", believing, peer, []string{proof, proof}, cert)
	f("", believing, "192.0.2.1:9", good, cert)
	f("", Config{Trusted: []string{"127.0.0.0/8"}}, peer, good, cert)
	f("", Config{Trusted: []string{"127.0.0.0/8"}}, peer, []string{""}, cert)
	f("", Config{}, peer, good, cert)
	f("", believing, peer, good, cert, cert)
	f("", believing, peer, good, cert+";"+cert)
	f("", believing, peer, good, cert+",")
	f("", believing, peer, good, `Cert="%zz"`)
	f("", believing, peer, good, `Cert="`+url.QueryEscape("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")+`"`)
	f("", believing, peer, good, `Chain="`+strings.Repeat(device, maxCertificates+1)+`"`)
	f("", believing, peer, good, `By=x`)
	f("", believing, peer, good, "")
}

func TestProofNamesTheBadField(t *testing.T) {
	for _, c := range []Config{{Trusted: []string{"::1"}, CertificateProof: "short"}, {CertificateProof: "correct horse battery"}} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "certificateProof: ") || strings.Contains(err.Error(), "short") {
			t.Errorf("%v", err)
		}
	}
}

func FuzzChainOf(f *testing.F) {
	f.Add(`Cert="x";Chain="` + certificateOf(f, "device") + `"`)
	f.Add(`,;="\"`)
	f.Fuzz(func(t *testing.T, line string) {
		if n := len(chainOf(line)); n > maxCertificates {
			t.Errorf("%d certificates", n)
		}
	})
}
