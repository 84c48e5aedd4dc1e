package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// An issuer makes certificates.
type issuer struct {
	t           testing.TB
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func cloud(name string) pkix.Name {
	return pkix.Name{Organization: []string{"Drogue IoT"}, OrganizationalUnit: []string{"Cloud"}, CommonName: name}
}

func newIssuer(t testing.TB, parent *issuer, name string, change func(*x509.Certificate)) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: cloud(name),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	signer, signingKey := template, key
	if parent != nil {
		signer, signingKey = parent.certificate, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, key.Public(), signingKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, certificate, key}
}

// leaf issues a device's certificate.
func (i *issuer) leaf(name string, change func(*x509.Certificate)) []byte {
	return newIssuer(i.t, i, name, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		if change != nil {
			change(c)
		}
	}).certificate.Raw
}

// trusting is an application with trust anchors, as a store keeps it.
func trusting(t testing.TB, name string, anchors ...*issuer) *registry.Application {
	t.Helper()
	var declared []map[string]string
	for _, anchor := range anchors {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: anchor.certificate.Raw})
		declared = append(declared, map[string]string{"certificate": base64.StdEncoding.EncodeToString(text)})
	}
	declared = append(declared, map[string]string{"certificate": "broken"})
	section, _ := json.Marshal(map[string]any{"anchors": declared})
	a := application(t, name, "")
	a.Spec = registry.Sections{registry.SectionTrustAnchors: section}
	resolved, err := registry.ResolveTrustAnchors(a.Spec)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := json.Marshal(resolved)
	a.Status = registry.Sections{registry.SectionTrustAnchors: status}
	return a
}

func TestCertificates(t *testing.T) {
	ca := newIssuer(t, nil, "Application 1", nil)
	impostor := newIssuer(t, nil, "Application 1", nil) // same name, other key
	other := newIssuer(t, nil, "Application 2", nil)
	expired := newIssuer(t, nil, "Application 3", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	middle := newIssuer(t, ca, "Intermediate", nil)
	service := newTestService(t,
		trusting(t, "app1", ca), trusting(t, "app2", other), trusting(t, "app3", expired), application(t, "app4", ""),
		device(t, "app1", "device1", `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 1"]}`),
		device(t, "app1", "device2", `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 2"],"core":{"disabled":true}}`),
		device(t, "app1", "gateway", `{"alias":["O=Drogue IoT, OU=Cloud, CN=Gateway"]}`),
		device(t, "app1", "sensor", `{"gatewaySelector":{"matchNames":["gateway"]}}`),
		device(t, "app2", "device1", `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 1"]}`),
		device(t, "app3", "device1", `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 1"]}`),
		device(t, "app4", "device1", `{"alias":["O=Drogue IoT, OU=Cloud, CN=Device 1"]}`),
	)
	f := func(what string, want outcome.Outcome, chain ...[]byte) *Session {
		t.Helper()
		request, err := FromCertificates(chain)
		if err != nil {
			expect(t, what, err, want)
			return nil
		}
		session, err := service.Authenticate(t.Context(), request)
		expect(t, what, err, want)
		return session
	}
	leaf := ca.leaf("Device 1", nil)
	session := f("a leaf of the anchor", outcome.Accepted, leaf)
	if session == nil || session.Device.Metadata.Name != "device1" || session.Application.Metadata.Name != "app1" || session.until.IsZero() {
		t.Errorf("admitted as %+v", session)
	}
	f("with its anchor", outcome.Accepted, leaf, ca.certificate.Raw)
	f("with the impostor's certificate", outcome.Accepted, leaf, impostor.certificate.Raw)
	f("without extended key usage", outcome.Accepted, ca.leaf("Device 1", func(c *x509.Certificate) { c.ExtKeyUsage = nil }))
	f("through an intermediate", outcome.Accepted, middle.leaf("Device 1", nil), middle.certificate.Raw)
	f("through an intermediate, with the anchor", outcome.Accepted, middle.leaf("Device 1", nil), middle.certificate.Raw, ca.certificate.Raw)

	f("no intermediate", outcome.Unauthenticated, middle.leaf("Device 1", nil))
	f("anchor first", outcome.Unauthenticated, ca.certificate.Raw, leaf)
	f("same names, another authority", outcome.Unauthenticated, impostor.leaf("Device 1", nil))
	f("same names, another authority, with the real one", outcome.Unauthenticated, impostor.leaf("Device 1", nil), ca.certificate.Raw)
	f("expired", outcome.Unauthenticated, ca.leaf("Device 1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }))
	f("not yet valid", outcome.Unauthenticated, ca.leaf("Device 1", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }))
	f("for servers only", outcome.Unauthenticated, ca.leaf("Device 1", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }))
	f("unknown device", outcome.Unauthenticated, ca.leaf("Device 9", nil))
	f("disabled device", outcome.Unauthenticated, ca.leaf("Device 2", nil))
	f("anchor expired", outcome.Unauthenticated, expired.leaf("Device 1", nil))
	f("unknown authority", outcome.Unauthenticated, newIssuer(t, nil, "Nobody", nil).leaf("Device 1", nil))
	f("too long", outcome.Unauthenticated, leaf, leaf, leaf, leaf, leaf, leaf, leaf, leaf, leaf)
	f("no certificate", outcome.Unauthenticated, []byte("x"))
	f("nothing", outcome.Unauthenticated)

	chain := func(request Request, c []byte) Request {
		request.Credential = CertificateChain{c}
		return request
	}
	named := func(what string, want outcome.Outcome, r Request) {
		t.Helper()
		_, err := service.Authenticate(t.Context(), r)
		expect(t, what, err, want)
	}
	dn := "O=Drogue IoT, OU=Cloud, CN=Device 1"
	named("another's certificate", outcome.Unauthenticated, chain(Request{Application: "app1", Device: "gateway"}, leaf))
	named("another application", outcome.Unauthenticated, chain(Request{Application: "app2", Device: dn}, leaf))
	named("an application without anchors", outcome.Unauthenticated, chain(Request{Application: "app4", Device: dn}, leaf))
	named("the application by name", outcome.Accepted, chain(Request{Application: "app1", Device: dn}, leaf))
	gateway := Request{Application: "app1", Device: "O=Drogue IoT, OU=Cloud, CN=Gateway", As: "sensor"}
	named("a gateway", outcome.Accepted, chain(gateway, ca.leaf("Gateway", nil)))
	gateway.As = "device1"
	named("a gateway without permission", outcome.Unauthenticated, chain(gateway, ca.leaf("Gateway", nil)))
}

func FuzzFromCertificates(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(newIssuer(f, nil, "x", nil).certificate.Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		if _, err := FromCertificates([][]byte{der}); err != nil && outcome.Of(err) != outcome.Unauthenticated {
			t.Fatal(err)
		}
	})
}
