package issuer

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newAuthority(t testing.TB) *Pair {
	t.Helper()
	made, err := NewAuthority(pkix.Name{Organization: []string{"Fairlead"}, CommonName: "my-app"}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestIssue(t *testing.T) {
	ca := newAuthority(t)
	device, err := ca.Issue(pkix.Name{CommonName: "device"}, time.Now().Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	if _, err := device.Certificate.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if device.Certificate.IsCA || !device.Certificate.NotAfter.Equal(ca.Certificate.NotAfter) || len(device.Certificate.AuthorityKeyId) == 0 {
		t.Errorf("a device's certificate is %v, until %v, of the key %x", device.Certificate.IsCA, device.Certificate.NotAfter, device.Certificate.AuthorityKeyId)
	}
	proof, err := ca.Prove("code")
	if err != nil || proof.Subject.CommonName != "code" || proof.CheckSignatureFrom(ca.Certificate) != nil {
		t.Errorf("%v, %v", proof, err)
	}
	if _, err := ca.Issue(pkix.Name{CommonName: strings.Repeat("ä", 65)}, time.Now().Add(time.Hour)); err == nil {
		t.Error("a common name is too long")
	}
	if _, err := ca.Issue(pkix.Name{CommonName: strings.Repeat("ä", 64)}, time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if _, err := NewAuthority(pkix.Name{}, time.Now()); err == nil {
		t.Error("an authority ends before it begins")
	}
}

func TestFiles(t *testing.T) {
	ca, dir := newAuthority(t), t.TempDir()
	files := FilesOf(filepath.Join(dir, "ca"))
	if err := files.Exist(); err != nil {
		t.Error(err)
	}
	if err := files.Write(ca); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{files.Certificate, files.Key} {
		if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	again, err := files.Read()
	if err != nil || !again.Certificate.Equal(ca.Certificate) {
		t.Errorf("%v, %v", again, err)
	}
	before, _ := os.ReadFile(files.Key)
	if files.Exist() == nil || files.Write(newAuthority(t)) == nil {
		t.Error("files are overwritten")
	}
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	if files.Write(newAuthority(t)) == nil {
		t.Error("a certificate is overwritten")
	}
	if _, err := os.Stat(files.Key); err == nil {
		t.Error("a key is left behind without its certificate")
	}
	if err := os.WriteFile(files.Key, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Read(); err != nil {
		t.Errorf("the files have changed: %v", err)
	}
}

// TestReadKeys has keys read as OpenSSL writes them.
func TestReadKeys(t *testing.T) {
	dir := t.TempDir()
	openssl := func(arguments ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "openssl", arguments...)
		command.Dir = dir
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v, %s", arguments, err, output)
		}
	}
	f := func(what, want string) {
		t.Helper()
		_, err := FilesOf(filepath.Join(dir, what)).Read()
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	authority := func(name string, key ...string) {
		t.Helper()
		openssl(append(key, "-out", name+".key")...)
		openssl("req", "-x509", "-key", name+".key", "-out", name+".crt", "-subj", "/CN=ca", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE")
	}
	authority("ec", "ecparam", "-name", "prime256v1", "-genkey")
	authority("rsa", "genrsa", "-traditional") // of 2048 bits
	authority("ed", "genpkey", "-algorithm", "ed25519")
	f("ec", "") // with the parameters of the curve before the key
	f("rsa", "")
	f("ed", "")
	openssl("pkcs8", "-topk8", "-in", "ec.key", "-out", "closed.key", "-passout", "pass:x")
	openssl("x509", "-in", "ec.crt", "-out", "closed.crt", "-outform", "DER")
	f("closed", "encrypted")
	openssl("x509", "-in", "ec.crt", "-out", "other.crt")
	openssl("pkey", "-in", "ed.key", "-out", "other.key")
	f("other", "is not the key of")
	openssl("req", "-x509", "-key", "ec.key", "-out", "leaf.crt", "-subj", "/CN=leaf", "-addext", "basicConstraints=CA:FALSE")
	openssl("pkey", "-in", "ec.key", "-out", "leaf.key")
	f("leaf", "no certificate of an authority")
	f("none", "no such file")
}

// FuzzParseKey has no text end the process, or show up in an error.
func FuzzParseKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := parseKey(text); (key == nil) == (err == nil) {
			t.Errorf("%v, %v", key, err)
		}
	})
}
