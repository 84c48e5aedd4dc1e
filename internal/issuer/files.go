package issuer

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fairlead/fairlead/internal/registry"
)

// maxFile bounds a file with a certificate or a key, in bytes.
const maxFile = 64 << 10

// Files are the names of the two files of a pair, both PEM.
type Files struct{ Certificate, Key string }

// FilesOf are stem.crt and stem.key.
func FilesOf(stem string) Files { return Files{stem + ".crt", stem + ".key"} }

// Exist is an error if one of the files is there already.
func (f Files) Exist() error {
	for _, name := range []string{f.Certificate, f.Key} {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("%s is there already, and nothing is overwritten", name)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Write writes a pair into files that nobody else may read. It overwrites none, and leaves both or none.
func (f Files) Write(p *Pair) error {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return fmt.Errorf("writing a private key: %w", err)
	}
	if err := WriteNew(f.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return err
	}
	if err := WriteNew(f.Certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate.Raw})); err != nil {
		return errors.Join(err, os.Remove(f.Key))
	}
	return nil
}

// WriteNew makes a file that nobody but its owner may read. It overwrites none.
func WriteNew(name string, content []byte) error {
	const private = 0o600
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, private)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", name, err), os.Remove(name))
	}
	return nil
}

// Read reads an authority. Its key may be written as PKCS #8, or as OpenSSL's older forms for elliptic curves and RSA.
func (f Files) Read() (*Pair, error) {
	certificate, err := ReadCertificate(f.Certificate)
	if err != nil {
		return nil, err
	}
	text, err := read(f.Key)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Key, err)
	}
	public, ok := certificate.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(key.Public()) {
		return nil, fmt.Errorf("%s is not the key of %s", f.Key, f.Certificate)
	}
	if !certificate.IsCA {
		return nil, fmt.Errorf("%s is no certificate of an authority", f.Certificate)
	}
	return &Pair{certificate, key}, nil
}

// ReadCertificate reads a certificate, PEM or DER.
func ReadCertificate(name string) (*x509.Certificate, error) {
	content, err := read(name)
	if err != nil {
		return nil, err
	}
	certificate, err := registry.ParseCertificate(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return certificate, nil
}

func read(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("is larger than %d bytes", maxFile)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return content, nil
}

// parseKey reads the first private key of a PEM text. Errors hold nothing of it.
func parseKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the key is encrypted: decrypt it, or sign with another program")
		default:
			continue
		}
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return nil, errors.New("the private key does not parse")
		}
		return signer, nil
	}
	return nil, errors.New("there is no private key in it")
}
