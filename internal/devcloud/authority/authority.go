package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Lives of what is made, and how long before its end something is made anew.
const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 397 * 24 * time.Hour // the longest that clients of today accept
	renewal         = 30 * 24 * time.Hour
)

// Files are the names of PEM files.
type Files struct {
	Authority   string // certificate of the authority, for those who trust it
	Certificate string // of the server, or the device
	Key         string // of that certificate; readable for its owner only
}

// Ensure makes what is missing or about to end in a folder: an authority, and a server's certificate for localhost, the
// loopback addresses and further hosts.
func Ensure(folder string, hosts ...string) (Files, error) {
	return ensurePairs(folder, "server", authorityTemplate("Fairlead development authority"), serverTemplate(hosts))
}

// EnsureDevice makes what is missing or about to end in a folder: an authority of devices, and a certificate of one.
func EnsureDevice(folder string, device pkix.Name) (Files, error) {
	return ensurePairs(folder, "device", authorityTemplate("Fairlead development devices"), deviceTemplate(device))
}

// ensurePairs makes an authority, and a certificate of it in files of that name.
func ensurePairs(folder, name string, issuer, template *x509.Certificate) (Files, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return Files{}, fmt.Errorf("making the folder for certificates: %w", err)
	}
	f := Files{
		Authority:   filepath.Join(folder, "ca.pem"),
		Certificate: filepath.Join(folder, name+".pem"),
		Key:         filepath.Join(folder, name+".key"),
	}
	authority, made, err := ensurePair(f.Authority, filepath.Join(folder, "ca.key"), issuer, nil)
	if err != nil {
		return Files{}, fmt.Errorf("making a certificate authority: %w", err)
	}
	if made || !covers(f.Certificate, template) {
		if err := os.Remove(f.Certificate); err != nil && !errors.Is(err, os.ErrNotExist) {
			return Files{}, fmt.Errorf("replacing the %s's certificate: %w", name, err)
		}
	}
	if _, _, err = ensurePair(f.Certificate, f.Key, template, authority); err != nil {
		return Files{}, fmt.Errorf("making the %s's certificate: %w", name, err)
	}
	return f, nil
}

// A pair is a certificate with its key.
type pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// ensurePair reads a pair, or makes it and has it signed by an issuer; without one it signs itself.
func ensurePair(certificateFile, keyFile string, template *x509.Certificate, issuer *pair) (p *pair, made bool, err error) {
	if p, err := readPair(certificateFile, keyFile); err == nil {
		return p, false, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, false, err
	}
	if issuer == nil {
		issuer = &pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.certificate, &key.PublicKey, issuer.key)
	if err != nil {
		return nil, false, err
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, false, err
	}
	// The key first: a certificate without its key would be taken for complete.
	if err := writePEM(keyFile, "EC PRIVATE KEY", encoded, 0o600); err != nil {
		return nil, false, err
	}
	if err := writePEM(certificateFile, "CERTIFICATE", der, 0o644); err != nil {
		return nil, false, err
	}
	p, err = readPair(certificateFile, keyFile)
	return p, true, err
}

var errUnusable = errors.New("no usable certificate with its key")

// readPair reads a pair that has some time left.
func readPair(certificateFile, keyFile string) (*pair, error) {
	certificate, err := readCertificate(certificateFile)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errUnusable
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil || !key.PublicKey.Equal(certificate.PublicKey) || time.Until(certificate.NotAfter) < renewal {
		return nil, errUnusable
	}
	return &pair{certificate, key}, nil
}

func readCertificate(file string) (*x509.Certificate, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, errUnusable
	}
	return x509.ParseCertificate(block.Bytes)
}

// covers tells whether the certificate in a file is for every name of the template.
func covers(file string, template *x509.Certificate) bool {
	certificate, err := readCertificate(file)
	if err != nil {
		return false
	}
	for _, name := range template.DNSNames {
		if certificate.VerifyHostname(name) != nil {
			return false
		}
	}
	for _, address := range template.IPAddresses {
		if certificate.VerifyHostname(address.String()) != nil {
			return false
		}
	}
	return true
}

func writePEM(file, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

func authorityTemplate(name string) *x509.Certificate {
	t := template(name, authorityLife)
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return t
}

func deviceTemplate(subject pkix.Name) *x509.Certificate {
	t := template("", certificateLife)
	t.Subject = subject
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return t
}

func serverTemplate(hosts []string) *x509.Certificate {
	t := template("localhost", certificateLife)
	t.DNSNames, t.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if address := net.ParseIP(host); address == nil {
			t.DNSNames = append(t.DNSNames, host)
		} else if !address.IsUnspecified() {
			t.IPAddresses = append(t.IPAddresses, address)
		}
	}
	return t
}

func template(name string, life time.Duration) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(life),
	}
}
