package authority

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

func ensure(t *testing.T, folder string, hosts ...string) Files {
	t.Helper()
	f, err := Ensure(folder, hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// trusts tells whether a client that trusts the authority accepts the server under a name.
func trusts(t *testing.T, f Files, name string) bool {
	t.Helper()
	served, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.Authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	leaf, err := x509.ParseCertificate(served.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
	return err == nil
}

func content(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEnsure(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "tls")
	f := ensure(t, folder)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		if !trusts(t, f, name) {
			t.Errorf("the certificate is not one of %s", name)
		}
	}
	if trusts(t, f, "example.com") {
		t.Error("the certificate is one of a host that nobody named")
	}
	if info, err := os.Stat(f.Key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is open to others: %v, %v", info.Mode(), err)
	}
}

func TestEnsureKeepsWhatIsThere(t *testing.T) {
	folder := t.TempDir()
	f := ensure(t, folder)
	authority, certificate := content(t, f.Authority), content(t, f.Certificate)
	ensure(t, folder)
	if !bytes.Equal(authority, content(t, f.Authority)) || !bytes.Equal(certificate, content(t, f.Certificate)) {
		t.Error("made anew without need")
	}
	ensure(t, folder, "10.1.2.3", "0.0.0.0")
	if !bytes.Equal(authority, content(t, f.Authority)) {
		t.Error("another host changes the authority")
	}
	if !trusts(t, f, "10.1.2.3") {
		t.Error("a new host is not in the certificate")
	}
}

func TestEnsureMakesBrokenFilesAnew(t *testing.T) {
	folder := t.TempDir()
	f := ensure(t, folder)
	for _, broken := range []string{f.Authority, f.Certificate, f.Key} {
		if err := os.WriteFile(broken, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		if f = ensure(t, folder); !trusts(t, f, "localhost") {
			t.Errorf("after %s was broken, nothing fits", filepath.Base(broken))
		}
	}
}
