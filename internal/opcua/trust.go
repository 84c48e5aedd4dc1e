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

// mostChain is how many bytes the server's certificate and its chain have at most: they have to fit into a chunk.
const mostChain = 1 << 16

// An UntrustedError says that a server's certificate is not trusted, and what to do about it.
type UntrustedError struct {
	Subject     string
	Fingerprint string // SHA-256, in hexadecimal digits
	File        string // where the certificate lies; "" if too many lie there
	Folder      string // where it has to lie to be trusted
	Reason      string // "" if it is only unknown
	Unread      error  // what in the folder could not be read, and may be the certificate; nil if nothing
}

func (e *UntrustedError) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("the server's certificate (%s, SHA-256 %s) %s", e.Subject, e.Fingerprint, e.Reason)
	}
	todo := fmt.Sprintf("if that is the fingerprint that the server shows, move %s to %s", e.File, e.Folder)
	if e.File == "" {
		todo = "copy it from the server to " + e.Folder
	}
	text := fmt.Sprintf("the server's certificate (%s, SHA-256 %s) is not trusted: %s", e.Subject, e.Fingerprint, todo)
	if e.Unread != nil {
		text += fmt.Sprintf(" (what could not be read there: %v)", e.Unread)
	}
	return text
}

// A trust decides which servers are talked to.
type trust struct{ folder string }

// check returns nil if the certificate of the server at a URL is trusted: it lies in the folder, or one that issued it does and it
// is for the URL's host. One that is not trusted is kept in the folder of those that were rejected.
func (t trust) check(chain []byte, endpoint string) (leaf []byte, err error) {
	if len(chain) > mostChain {
		return nil, fmt.Errorf("reading the server's certificate: it has %d bytes, more than %d", len(chain), mostChain)
	}
	certificates, err := x509.ParseCertificates(chain)
	if err != nil || len(certificates) == 0 {
		return nil, fmt.Errorf("reading the server's certificate: %w", errors.Join(err, errors.New("it is no X.509 certificate")))
	}
	certificate := certificates[0]
	problem := t.describe(certificate)
	switch now := time.Now(); {
	case now.After(certificate.NotAfter):
		problem.Reason = "has expired on " + certificate.NotAfter.Format(time.DateOnly) + ": the server needs a new one"
		return nil, problem
	case now.Before(certificate.NotBefore):
		problem.Reason = "is not valid before " + certificate.NotBefore.Format(time.RFC3339) + ": if that has been, the clock here is wrong"
		return nil, problem
	}
	trusted, unread := t.trusted()
	known, name := isTrusted(certificate, certificates[1:], trusted, endpoint)
	if !known {
		problem.Unread = unread
		problem.File = t.reject(certificate, problem.Fingerprint)
		if name != nil {
			problem.Reason = fmt.Sprintf("is of a trusted issuer, but not for this host (%v): move %s to %s to trust it all the same", name, problem.File, problem.Folder)
		}
		return nil, problem
	}
	return certificate.Raw, nil
}

func (t trust) describe(c *x509.Certificate) *UntrustedError {
	sum := sha256.Sum256(c.Raw)
	return &UntrustedError{Subject: fmt.Sprintf("%.200q", c.Subject.String()), Fingerprint: hex.EncodeToString(sum[:]),
		Folder: filepath.Join(t.folder, trustedFolder)}
}

// isTrusted tells whether a certificate is one that is trusted, or of an issuer that is. Then it has to be for the host of the URL; name
// says that it is not.
func isTrusted(c *x509.Certificate, chain, trusted []*x509.Certificate, endpoint string) (known bool, name error) {
	roots := x509.NewCertPool()
	for _, one := range trusted {
		if bytes.Equal(one.Raw, c.Raw) {
			return true, nil
		}
		if one.IsCA {
			roots.AddCert(one)
		}
	}
	between := x509.NewCertPool()
	for _, issuer := range chain {
		between.AddCert(issuer)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return false, nil
	}
	u, err := url.Parse(endpoint)
	if err == nil {
		err = c.VerifyHostname(u.Hostname())
	}
	return err == nil, err
}

// trusted reads the folder, PEM and DER. It is read each time, so that nothing has to be started anew. What is no certificate is in the
// error, and does not keep the others from being trusted.
func (t trust) trusted() (all []*x509.Certificate, err error) {
	folder := filepath.Join(t.folder, trustedFolder)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, os.MkdirAll(folder, 0o755)
	}
	if err != nil {
		return nil, err
	}
	var unread []error
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		file := filepath.Join(folder, entry.Name())
		content, err := os.ReadFile(file)
		if err != nil {
			unread = append(unread, err)
			continue
		}
		found, err := parseCertificates(content)
		if err != nil {
			unread = append(unread, fmt.Errorf("%s: %w", file, err))
		}
		all = append(all, found...)
	}
	return all, errors.Join(unread...)
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
