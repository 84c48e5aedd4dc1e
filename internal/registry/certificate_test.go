package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type nameAttribute struct {
	Type  asn1.ObjectIdentifier
	Value any
}

func rawName(t *testing.T, parts ...relativeSET) []byte {
	t.Helper()
	raw, err := asn1.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type relativeSET []nameAttribute

func TestDistinguishedName(t *testing.T) {
	f := func(want string, parts ...relativeSET) {
		t.Helper()
		got, err := DistinguishedName(rawName(t, parts...))
		if err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	part := func(id asn1.ObjectIdentifier, value any) relativeSET { return relativeSET{{id, value}} }
	c, st, o, ou, cn := asn1.ObjectIdentifier{2, 5, 4, 6}, asn1.ObjectIdentifier{2, 5, 4, 8}, asn1.ObjectIdentifier{2, 5, 4, 10}, asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.ObjectIdentifier{2, 5, 4, 3}

	f("")
	f("O=Drogue IoT, OU=Cloud, CN=Application 1", part(o, "Drogue IoT"), part(ou, "Cloud"), part(cn, "Application 1"))
	f("CN=Device 1, OU=Cloud", part(cn, "Device 1"), part(ou, "Cloud"))
	f("C=FR, ST=Some-State, O=Internet Widgits Pty Ltd, CN=Test1 + CN=Test2",
		part(c, "FR"), part(st, "Some-State"), part(o, "Internet Widgits Pty Ltd"), relativeSET{{cn, "Test1"}, {cn, "Test2"}})
	f("CN=größer, als", part(cn, "größer, als"))
	f("Email=a@b, DC=example, 1.2.3.4=x",
		part(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte("a@b")}),
		part(asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte("example")}),
		part(asn1.ObjectIdentifier{1, 2, 3, 4}, "x"))
	f("CN=00410042", part(cn, asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte{0, 0x41, 0, 0x42}}))

	for _, bad := range [][]byte{nil, {}, {0x30}, []byte("CN=x"), append(rawName(t), 0), rawName(t, part(cn, asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte{0xff}}))} {
		if got, err := DistinguishedName(bad); err == nil {
			t.Errorf("%x became %q", bad, got)
		}
	}
}

func FuzzDistinguishedName(f *testing.F) {
	for _, name := range []pkix.Name{{}, {CommonName: "x"}, {Organization: []string{"Drogue IoT"}, OrganizationalUnit: []string{"Cloud"}, CommonName: "Device 1"}} {
		raw, err := asn1.Marshal(name.ToRDNSequence())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := DistinguishedName(raw)
		if err != nil && text != "" {
			t.Fatalf("an error and %q", text)
		}
	})
}

func authority(t *testing.T, isCA bool) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{Organization: []string{"Drogue IoT"}, OrganizationalUnit: []string{"Cloud"}, CommonName: "Application 1"},
		NotBefore:             time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA:                  isCA,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestResolveTrustAnchors(t *testing.T) {
	der := authority(t, true)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	valid := TrustAnchor{Valid: &ValidAnchor{
		Subject:     "O=Drogue IoT, OU=Cloud, CN=Application 1",
		Certificate: text,
		NotBefore:   time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:    time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
	}}
	invalid := func(message string) TrustAnchor {
		return TrustAnchor{Invalid: &InvalidAnchor{Error: "InvalidCertificate", Message: message}}
	}
	f := func(want TrustAnchor, certificate any) {
		t.Helper()
		section, err := json.Marshal(map[string]any{"anchors": []any{map[string]any{"certificate": certificate}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ResolveTrustAnchors(Sections{SectionTrustAnchors: section})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(TrustAnchors{Anchors: []TrustAnchor{want}}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("secret")})
	f(valid, base64.StdEncoding.EncodeToString(text))
	f(valid, base64.StdEncoding.EncodeToString(der))
	f(valid, base64.StdEncoding.EncodeToString(append(key, text...)))
	f(invalid("the certificate is not a string"), 5)
	f(invalid("the certificate is not a string"), nil)
	f(invalid("the certificate is not base64"), "***")
	f(invalid("not an X.509 certificate"), base64.StdEncoding.EncodeToString([]byte("x")))
	f(invalid("no certificate in the PEM text"), base64.StdEncoding.EncodeToString(key))
	f(invalid("the certificate is not one of a certificate authority"), base64.StdEncoding.EncodeToString(authority(t, false)))

	if got, err := ResolveTrustAnchors(nil); err != nil || len(got.Anchors) != 0 {
		t.Errorf("without a section: %v, %v", got, err)
	}
	if _, err := ResolveTrustAnchors(Sections{SectionTrustAnchors: json.RawMessage(`[]`)}); err == nil {
		t.Error("a list was accepted as section")
	}
}

func TestResolvedTrustAnchorIsAnAlias(t *testing.T) {
	section, _ := json.Marshal(map[string]any{"anchors": []any{map[string]any{"certificate": authority(t, true)}}})
	anchors, err := ResolveTrustAnchors(Sections{SectionTrustAnchors: section})
	if err != nil {
		t.Fatal(err)
	}
	status, _ := json.Marshal(anchors)
	a := Application{Metadata: Metadata{Name: "a"}, Status: Sections{SectionTrustAnchors: status}}
	aliases, err := a.Aliases()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := ParseCertificate(anchors.Anchors[0].Valid.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	want := []Alias{{AliasName, "a"}, {AliasTrustAnchor, "O=Drogue IoT, OU=Cloud, CN=Application 1"}}
	for _, id := range KeyIDs(certificate) {
		want = append(want, Alias{AliasTrustAnchor, id})
	}
	if len(want) != 4 || want[3].Value != KeyID(certificate.SubjectKeyId) { // as Go names the keys of authorities
		t.Errorf("key ids %v of a key that is named %x", want[2:], certificate.SubjectKeyId)
	}
	if diff := cmp.Diff(want, aliases); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
