package opcua

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The folders of servers' certificates, within the folder.
const (
	trustedFolder  = "trusted"
	rejectedFolder = "rejected"
)

// mostRejected is how many certificates are kept that were rejected. A hostile server could send another each time.
const mostRejected = 100

// An UntrustedError says that a server's certificate is not trusted, and what to do about it.
type UntrustedError struct {
	Subject     string
	Fingerprint string // SHA-256, in hexadecimal digits
	File        string // where the certificate lies; "" if too many lie there
	Folder      string // where it has to lie to be trusted
	Reason      string // "" if it is only unknown
}

func (e *UntrustedError) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("the server's certificate (%s, SHA-256 %s) %s", e.Subject, e.Fingerprint, e.Reason)
	}
	if e.File == "" {
		return fmt.Sprintf("the server's certificate (%s, SHA-256 %s) is not trusted: copy it from the server to %s", e.Subject, e.Fingerprint,
			e.Folder)
	}
	return fmt.Sprintf("the server's certificate (%s, SHA-256 %s) is not trusted: if that is the fingerprint that the server shows, move %s to %s",
		e.Subject, e.Fingerprint, e.File, e.Folder)
}

// A trust decides which servers are talked to.
type trust struct{ folder string }

// check returns nil if the certificate of the server at a URL is trusted: it lies in the folder, or one that issued it does and it
// is for the URL's host. One that is not trusted is kept in the folder of those that were rejected.
func (t trust) check(chain []byte, endpoint string) (leaf []byte, err error) {
	certificates, err := x509.ParseCertificates(chain)
	if err != nil || len(certificates) == 0 {
		return nil, fmt.Errorf("reading the server's certificate: %w", errors.Join(err, errors.New("it is no X.509 certificate")))
	}
	certificate := certificates[0]
	problem := t.describe(certificate)
	trusted, err := t.trusted()
	if err != nil {
		return nil, err
	}
	known := isTrusted(certificate, certificates[1:], trusted, endpoint)
	switch now := time.Now(); {
	case !known:
		problem.File = t.reject(certificate, problem.Fingerprint)
		return nil, problem
	case now.After(certificate.NotAfter):
		problem.Reason = "has expired on " + certificate.NotAfter.Format(time.DateOnly)
		return nil, problem
	case now.Before(certificate.NotBefore):
		problem.Reason = "is not valid before " + certificate.NotBefore.Format(time.RFC3339)
		return nil, problem
	}
	return certificate.Raw, nil
}

func (t trust) describe(c *x509.Certificate) *UntrustedError {
	sum := sha256.Sum256(c.Raw)
	return &UntrustedError{Subject: fmt.Sprintf("%q", c.Subject.String()), Fingerprint: hex.EncodeToString(sum[:]),
		Folder: filepath.Join(t.folder, trustedFolder)}
}

func isTrusted(c *x509.Certificate, chain, trusted []*x509.Certificate, endpoint string) bool {
	roots := x509.NewCertPool()
	for _, known := range trusted {
		if bytes.Equal(known.Raw, c.Raw) {
			return true
		}
		if known.IsCA {
			roots.AddCert(known)
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	between := x509.NewCertPool()
	for _, issuer := range chain {
		between.AddCert(issuer)
	}
	_, err = c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: u.Hostname(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// trusted reads the folder, PEM and DER. It is read each time, so that nothing has to be started anew.
func (t trust) trusted() (all []*x509.Certificate, err error) {
	folder := filepath.Join(t.folder, trustedFolder)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, os.MkdirAll(folder, 0o755)
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		file := filepath.Join(folder, entry.Name())
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found, err := parseCertificates(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func parseCertificates(content []byte) ([]*x509.Certificate, error) {
	block, rest := pem.Decode(content)
	if block == nil {
		return x509.ParseCertificates(content)
	}
	var all []*x509.Certificate
	for ; block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, certificate)
	}
	return all, nil
}

var notInFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// reject keeps a certificate for whoever decides about it, and tells where; "" if it could not be kept.
func (t trust) reject(c *x509.Certificate, fingerprint string) string {
	folder := filepath.Join(t.folder, rejectedFolder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return ""
	}
	const most = 32
	name := notInFileName.ReplaceAllString(c.Subject.CommonName, "-")
	file := filepath.Join(folder, name[:min(len(name), most)]+"-"+fingerprint[:16]+".der")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) >= mostRejected {
		return ""
	}
	if err := writeOnce(file, c.Raw, 0o644); err != nil {
		return ""
	}
	return file
}
