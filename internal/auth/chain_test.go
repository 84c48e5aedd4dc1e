package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// subtree is a GeneralSubtree of a kind of name.
func subtree(t testing.TB, tag int, content []byte, compound bool) []byte {
	t.Helper()
	base := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: compound, Bytes: content}
	der, err := asn1.Marshal(struct{ Base asn1.RawValue }{base})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// directory is the subtree of a directory name.
func directory(t testing.TB, name pkix.Name) []byte {
	t.Helper()
	der, err := asn1.Marshal(name.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	return subtree(t, 4, der, true)
}

// constraining is an extension with name constraints; nil is no list.
func constraining(t testing.TB, critical bool, permitted, excluded []byte) pkix.Extension {
	t.Helper()
	var lists []asn1.RawValue
	for tag, list := range [][]byte{permitted, excluded} {
		if list != nil {
			lists = append(lists, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: list})
		}
	}
	der, err := asn1.Marshal(lists)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: oidNameConstraints, Critical: critical, Value: der}
}

// TestChains shows chains to one trust anchor. What is wrong with each is in one of its authorities, or in the certificate of the device.
func TestChains(t *testing.T) {
	extended := func(extension pkix.Extension) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions, extension) }
	}
	hosts := func(names ...string) func(*x509.Certificate) { return func(c *x509.Certificate) { c.DNSNames = names } }
	f := func(what string, want bool, root, middle, leaf func(*x509.Certificate)) {
		t.Helper()
		ca := newIssuer(t, nil, "Application 1", root)
		between := newIssuer(t, ca, "Intermediate", middle)
		a := trusting(t, "app1", ca)
		v, err := VerifyChain(CertificateChain{between.leaf("Device 1", leaf), between.certificate.Raw}, a, time.Now())
		if (err == nil) != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if err == nil && (!v.Anchor.Equal(ca.certificate) || v.Until.IsZero()) {
			t.Errorf("%s: to %v until %v", what, v.Anchor.Subject, v.Until)
		}
	}
	usage := func(all ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = all }
	}
	f("as it should be", true, nil, nil, nil)

	f("any usage", true, nil, nil, usage(x509.ExtKeyUsageAny))
	f("no usage", true, nil, nil, usage())
	f("for code", false, nil, nil, usage(x509.ExtKeyUsageCodeSigning))
	f("an authority for clients", true, nil, usage(x509.ExtKeyUsageClientAuth), nil)
	f("an authority for any usage", true, nil, usage(x509.ExtKeyUsageAny), nil)
	f("an authority for servers", false, nil, usage(x509.ExtKeyUsageServerAuth), nil)
	f("an anchor for servers", false, usage(x509.ExtKeyUsageServerAuth), nil, nil)

	length := func(n int) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = n, n == 0 }
	}
	f("an anchor that allows one authority", true, length(1), length(0), nil)
	f("an anchor that allows none", false, length(0), nil, nil)
	f("an intermediate that is no authority", false, nil, func(c *x509.Certificate) { c.IsCA = false }, nil)
	f("an intermediate that may not sign", false, nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }, nil)
	f("an intermediate that has ended", false, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, nil)
	f("an intermediate that has not begun", false, nil, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, nil)
	f("an extension that nobody knows", false, nil, nil, extended(pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}))

	permitted := func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"plant.example"}
	}
	f("a host that is permitted", true, nil, permitted, hosts("pump.plant.example"))
	f("a host that is not", false, nil, permitted, hosts("pump.office.example"))
	f("one that is not, of the anchor", false, permitted, nil, hosts("pump.office.example"))
	f("no host", true, nil, permitted, nil)
	f("a host that is excluded", false, nil, func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"plant.example"} }, hosts("pump.plant.example"))

	drogue := directory(t, pkix.Name{Organization: []string{"Drogue IoT"}})
	shouted := directory(t, pkix.Name{Organization: []string{"DROGUE   iot"}})
	other := directory(t, pkix.Name{Organization: []string{"Other"}})
	whole := directory(t, cloud("Device 1"))
	for _, critical := range []bool{true, false} {
		limits := func(permitted, excluded []byte) func(*x509.Certificate) {
			return extended(constraining(t, critical, permitted, excluded))
		}
		f("a name that is permitted", true, nil, limits(drogue, nil), nil)
		f("in other letters", true, nil, limits(shouted, nil), nil)
		f("the very name", true, nil, limits(whole, nil), nil)
		f("one of several", true, nil, limits(append(append([]byte{}, other...), drogue...), nil), nil)
		f("a name that is not permitted", false, nil, limits(other, nil), nil)
		f("of the anchor", false, limits(other, nil), nil, nil)
		f("a name of the anchor's that the intermediate has not", false, limits(whole, nil), nil, nil)
		f("a name that is excluded", false, nil, limits(nil, drogue), nil)
		f("in other letters, excluded", false, nil, limits(nil, shouted), nil)
		f("another one that is excluded", true, nil, limits(nil, other), nil)
		f("permitted and excluded", false, nil, limits(drogue, whole), nil)
		f("beside a host", false, nil, limits(append(append([]byte{}, drogue...), subtree(t, 2, []byte("plant.example"), false)...), nil), hosts("pump.office.example"))
		f("beside a kind that nobody checks", !critical, nil, limits(append(append([]byte{}, drogue...), subtree(t, 8, []byte{42, 3}, false)...), nil), nil)
		f("a name that cannot be read", false, nil, limits(subtree(t, 4, []byte("x"), true), nil), nil)
	}
}

// FuzzNameConstraints has every extension be read, or be an error.
func FuzzNameConstraints(f *testing.F) {
	name := pkix.Name{Organization: []string{"Drogue IoT"}}
	f.Add(constraining(f, true, directory(f, name), nil).Value)
	f.Add(constraining(f, true, subtree(f, 2, []byte("plant.example"), false), directory(f, name)).Value)
	f.Add([]byte{0x30, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := parseConstraints(der)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		if err == nil {
			for _, name := range c.excluded {
				if c.permits(name) {
					t.Errorf("%q is excluded and permitted", name)
				}
			}
		}
	})
}

// TestEveryTrustAnchorIsTried has a chain lead to two anchors: the one whose key is proven counts, and the end that comes last.
func TestEveryTrustAnchorIsTried(t *testing.T) {
	ca := newIssuer(t, nil, "Application 1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(10 * time.Minute) })
	middle := newIssuer(t, ca, "Intermediate", nil)
	a := proving(trusting(t, "app1", ca, middle), middle)
	v, err := VerifyChain(CertificateChain{middle.leaf("Device 1", nil), middle.certificate.Raw}, a, time.Now())
	if err != nil || !v.Proven || registry.Fingerprint(v.Anchor) != registry.Fingerprint(middle.certificate) || time.Until(v.Until) < 30*time.Minute {
		t.Errorf("%v until %v, proven %v, %v", v.Anchor, v.Until, v.Proven, err)
	}
}
