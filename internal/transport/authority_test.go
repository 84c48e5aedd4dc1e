package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// issue makes a certificate for 127.0.0.1 that vouches for itself, as PEM.
func issue(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// pairOf is issue for a client.
func pairOf(t *testing.T, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(issue(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// A folder holds the files of a certificate.
type folder struct {
	t                    *testing.T
	certificate, keyFile string
}

func newFolder(t *testing.T) folder {
	dir := t.TempDir()
	return folder{t, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
}

// write replaces a file, as a whole.
func (f folder) write(file string, content []byte) {
	f.t.Helper()
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		f.t.Fatal(err)
	}
}

// issue puts a new certificate into the folder.
func (f folder) issue(name string) {
	f.t.Helper()
	certificate, key := issue(f.t, name)
	f.write(f.certificate, certificate)
	f.write(f.keyFile, key)
}
