package opcua

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The files of the client's own certificate, within the folder.
const (
	ownCertificate = "own/certificate.pem" // what servers have to trust
	ownDER         = "own/certificate.der" // the same, for servers that take no PEM
	ownKey         = "own/key.pem"
)

// certificateLife is how long a certificate that is made here is valid.
const certificateLife = 10 * 365 * 24 * time.Hour

// A keyPair is a certificate with its RSA key.
type keyPair struct {
	der []byte
	key *rsa.PrivateKey
}

// loadKeyPair reads a certificate and its key in PEM. A chain may follow the certificate; it is not sent.
func loadKeyPair(certificateFile, keyFile string) (*keyPair, error) {
	pair, err := tls.LoadX509KeyPair(certificateFile, keyFile)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: OPC UA asks for an RSA key", keyFile)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, &expiredError{certificateFile, pair.Leaf.NotAfter}
	}
	return &keyPair{pair.Certificate[0], key}, nil
}

// An expiredError says that a certificate is too old to be used.
type expiredError struct {
	file string
	on   time.Time
}

func (e *expiredError) Error() string {
	return fmt.Sprintf("%s: the certificate has expired on %s", e.file, e.on.Format(time.DateOnly))
}

// ownKeyPair is the client's certificate as it is in the folder now. It is made if there is none.
func ownKeyPair(folder, applicationURI string) (*keyPair, error) {
	certificateFile, keyFile := filepath.Join(folder, ownCertificate), filepath.Join(folder, ownKey)
	pair, err := loadKeyPair(certificateFile, keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeKeyPair(folder, applicationURI); err == nil {
			pair, err = loadKeyPair(certificateFile, keyFile)
		}
	}
	var expired *expiredError
	switch {
	case errors.As(err, &expired):
		return nil, fmt.Errorf("the client's own certificate: %w: put a new one and its key there, or remove both and one is made; servers have to trust it", err)
	case err != nil:
		return nil, fmt.Errorf("the client's own certificate: %w", err)
	}
	return pair, copyDER(filepath.Join(folder, ownDER), pair.der)
}

// copyDER has the copy of the certificate be of the one that is used.
func copyDER(file string, der []byte) error {
	if there, err := os.ReadFile(file); err == nil && bytes.Equal(there, der) {
		return nil
	}
	err := writeWhole(file, der, 0o644)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil // whoever has put the certificate into a folder that is not written to knows it
	}
	return err
}

// makeKeyPair makes the client's certificate. Of several processes that do so at once, one wins. The certificate comes last, so
// that where it is, its key is too.
func makeKeyPair(folder, applicationURI string) error {
	if err := os.MkdirAll(filepath.Join(folder, "own"), 0o700); err != nil {
		return err
	}
	certificateFile, keyFile := filepath.Join(folder, ownCertificate), filepath.Join(folder, ownKey)
	if _, err := os.Stat(certificateFile); err == nil {
		return fmt.Errorf("%s has no key beside it", certificateFile)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeOnce(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	// Another process may have been faster: the certificate is made of the key that is there.
	stored, err := readKey(keyFile)
	if err != nil {
		return err
	}
	der, err := selfSigned(stored, applicationURI)
	if err != nil {
		return err
	}
	return writeOnce(certificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func readKey(file string) (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM", file)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: OPC UA asks for an RSA key", file)
	}
	return private, nil
}

// selfSigned is a certificate as OPC 10000-6, 6.2.2 asks for.
func selfSigned(key *rsa.PrivateKey, applicationURI string) ([]byte, error) {
	uri, err := url.Parse(applicationURI)
	if err != nil {
		return nil, fmt.Errorf("the application URI: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Fairlead OPC UA gateway", Organization: []string{"Fairlead"}},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(certificateLife),
		URIs:                  []*url.URL{uri},
		BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment |
			x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if host, err := os.Hostname(); err == nil {
		template.DNSNames = []string{host}
	}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

// writeOnce writes a file as a whole, unless it is there.
func writeOnce(file string, content []byte, mode fs.FileMode) error {
	temporary, err := writeTemporary(file, content, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	if err := os.Link(temporary, file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// writeWhole replaces a file as a whole.
func writeWhole(file string, content []byte, mode fs.FileMode) error {
	temporary, err := writeTemporary(file, content, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, file); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	return nil
}

func writeTemporary(file string, content []byte, mode fs.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}
