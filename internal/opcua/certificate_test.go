package opcua

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The certificate is made once, also by several at the same time, and is as servers want it.
func TestOwnCertificate(t *testing.T) {
	folder := t.TempDir()
	const several = 4
	pairs := make(chan *keyPair, several)
	for range several {
		go func() {
			pair, err := ownKeyPair(folder, "urn:me")
			if err != nil {
				t.Error(err)
			}
			pairs <- pair
		}()
	}
	first := <-pairs
	for range several - 1 {
		if pair := <-pairs; first == nil || pair == nil || string(pair.der) != string(first.der) {
			t.Error("there are several certificates")
		}
	}
	if info, err := os.Stat(filepath.Join(folder, ownKey)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
	certificates, err := parseCertificates(first.der)
	if err != nil || certificates[0].URIs[0].String() != "urn:me" {
		t.Errorf("%v, %v", certificates, err)
	}
}

// What is put in the place of the certificate is used, and the copy in DER is of it. What is removed is made anew.
func TestReplacedCertificate(t *testing.T) {
	folder, other := t.TempDir(), t.TempDir()
	load := func(folder string) *keyPair {
		t.Helper()
		pair, err := ownKeyPair(folder, "urn:me")
		if err != nil {
			t.Fatal(err)
		}
		if der, err := os.ReadFile(filepath.Join(folder, ownDER)); err != nil || !bytes.Equal(der, pair.der) {
			t.Errorf("the copy is of another certificate, or missing: %v", err)
		}
		return pair
	}
	first, second := load(folder), load(other)
	for _, file := range []string{ownCertificate, ownKey} {
		if err := os.Rename(filepath.Join(other, file), filepath.Join(folder, file)); err != nil {
			t.Fatal(err)
		}
	}
	if pair := load(folder); !bytes.Equal(pair.der, second.der) {
		t.Error("the certificate of before is used")
	}
	if third := load(other); bytes.Equal(third.der, second.der) || bytes.Equal(third.der, first.der) {
		t.Error("no new certificate is made")
	}
}

// A certificate that has expired is not used, and the error says what to do.
func TestExpiredCertificate(t *testing.T) {
	folder := t.TempDir()
	if _, err := ownKeyPair(folder, "urn:me"); err != nil {
		t.Fatal(err)
	}
	key, err := readKey(filepath.Join(folder, ownKey))
	if err != nil {
		t.Fatal(err)
	}
	old := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, old, old, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, ownCertificate)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ownKeyPair(folder, "urn:me")
	if err == nil || !strings.Contains(err.Error(), file+": the certificate has expired on ") || !strings.Contains(err.Error(), "put a new one and its key there") {
		t.Errorf("own: %v", err)
	}
	_, err = trust{folder}.check(der, "opc.tcp://localhost")
	if err == nil || !strings.Contains(err.Error(), "has expired on ") || strings.Contains(err.Error(), "move ") {
		t.Errorf("of a server: %v", err)
	}
}

func TestTrust(t *testing.T) {
	folder := t.TempDir()
	pair, err := ownKeyPair(t.TempDir(), "urn:server")
	if err != nil {
		t.Fatal(err)
	}
	check := func() error {
		_, err := trust{folder}.check(pair.der, "opc.tcp://localhost")
		return err
	}
	problem, ok := check().(*UntrustedError)
	if !ok || problem.File == "" {
		t.Fatalf("%v", problem)
	}
	if err := os.Rename(problem.File, filepath.Join(problem.Folder, "a.der")); err != nil {
		t.Fatal(err)
	}
	if err := check(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(problem.Folder, "b.der"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check(); err != nil {
		t.Errorf("beside a file that is no certificate: %v", err)
	}
	if err := os.Remove(filepath.Join(problem.Folder, "a.der")); err != nil {
		t.Fatal(err)
	}
	if err := check(); err == nil || !strings.Contains(err.Error(), "b.der") || !strings.Contains(err.Error(), "move ") {
		t.Errorf("only a file that is no certificate: %v", err)
	}
	for _, der := range [][]byte{nil, []byte("nonsense")} {
		if _, err := (trust{folder}).check(der, "opc.tcp://localhost"); err == nil {
			t.Error("what is no certificate is trusted")
		}
	}
}

// authority makes certificates of a chain.
type authority struct {
	key  *rsa.PrivateKey
	made *x509.Certificate
}

// issue makes a certificate of the authority; the zero authority makes one of itself.
func (a authority) issue(t *testing.T, change func(*x509.Certificate)) authority {
	t.Helper()
	key := a.key
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: serial.String()}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, DNSNames: []string{"localhost"}}
	change(template)
	issuer := a.made
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, made}
}

// A server's certificate of a trusted issuer is taken if it is for the host and valid, with the chain that comes with it. For all
// others the error says why.
func TestIssuedCertificates(t *testing.T) {
	isCA := func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }
	root := authority{}.issue(t, isCA)
	between := root.issue(t, isCA)
	long, chain := between, slices.Clone(between.made.Raw)
	for range 30 {
		long = long.issue(t, isCA)
		chain = append(chain, long.made.Raw...)
	}
	plain := func(*x509.Certificate) {}
	folder := t.TempDir()
	trusted := filepath.Join(folder, trustedFolder)
	if err := os.MkdirAll(trusted, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(trusted, "root.der"), root.made.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		chain     []byte
		complaint string
	}{
		"of the issuer":           {root.issue(t, plain).made.Raw, ""},
		"with one between":        {slices.Concat(between.issue(t, plain).made.Raw, between.made.Raw), ""},
		"without the one between": {between.issue(t, plain).made.Raw, "is not trusted: if that is the fingerprint"},
		"for another host": {root.issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"elsewhere"} }).made.Raw,
			"is of a trusted issuer, but not for this host (x509: certificate is valid for elsewhere, not localhost): move "},
		"expired":                       {root.issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }).made.Raw, "has expired on "},
		"not valid yet":                 {root.issue(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }).made.Raw, "the clock here is wrong"},
		"with a long chain":             {slices.Concat(long.issue(t, plain).made.Raw, chain), ""},
		"with a chain that is too long": {slices.Concat(long.issue(t, plain).made.Raw, bytes.Repeat(chain, 10)), "more than 65536"},
	} {
		_, err := trust{folder}.check(c.chain, "opc.tcp://localhost:4840")
		if (err == nil) != (c.complaint == "") || err != nil && !strings.Contains(err.Error(), c.complaint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
