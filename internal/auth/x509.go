package auth

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// Bounds of a presented chain.
const (
	maxCertificates = 8
	maxChainBytes   = 32 << 10
	maxRSABits      = 8192
)

var errChain = errors.New("the certificate chain is not acceptable")

// FromCertificates makes a request of the chain that a TLS client presented, leaf first, and whose key the handshake
// has proven: the application is named by the leaf's issuer, the device by its subject. A chain that does not parse is
// outcome.Unauthenticated.
func FromCertificates(chain [][]byte) (Request, error) {
	certificates, err := parseChain(chain)
	if err != nil {
		return Request{}, refused()
	}
	application, err := registry.DistinguishedName(certificates[0].RawIssuer)
	if err != nil {
		return Request{}, refused()
	}
	device, err := registry.DistinguishedName(certificates[0].RawSubject)
	if err != nil {
		return Request{}, refused()
	}
	return Request{Application: application, Device: device, Credential: CertificateChain(chain)}, nil
}

func parseChain(chain [][]byte) ([]*x509.Certificate, error) {
	size := 0
	for _, der := range chain {
		size += len(der)
	}
	if len(chain) == 0 || len(chain) > maxCertificates || size > maxChainBytes {
		return nil, errChain
	}
	certificates := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errChain
		}
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
			return nil, errChain
		}
		certificates[i] = c
	}
	return certificates, nil
}

// issuers are the names of all who issued a certificate of the chain, the leaf's issuer first. One of them is the trust
// anchor of the application, if any is.
func issuers(certificates []*x509.Certificate) (names []string) {
	for _, c := range certificates {
		if name, err := registry.DistinguishedName(c.RawIssuer); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// applicationNames are the names under which the application of a request may be found, in the order of trying: the
// one that the request gives and, for a chain with intermediates, those of the issuers further up.
func applicationNames(r Request) []string {
	names := []string{r.Application}
	chain, ok := r.Credential.(CertificateChain)
	if !ok {
		return names
	}
	certificates, err := parseChain(chain)
	if err != nil {
		return names
	}
	for _, name := range issuers(certificates) {
		if name != r.Application {
			names = append(names, name)
		}
	}
	return names
}

// verifyChain checks that the chain leads from a leaf with that subject to one of the application's own trust anchors,
// now, for client authentication. It tells until when that holds.
func verifyChain(chain CertificateChain, subject string, anchors registry.TrustAnchors, now time.Time) (until time.Time, err error) {
	certificates, err := parseChain(chain)
	if err != nil {
		return until, err
	}
	leaf := certificates[0]
	if name, err := registry.DistinguishedName(leaf.RawSubject); err != nil || name != subject {
		return until, errors.New("the certificate is another device's")
	}
	intermediates := x509.NewCertPool()
	for _, c := range certificates[1:] {
		intermediates.AddCert(c)
	}
	roots, found := anchorPool(certificates, anchors, now)
	if !found {
		return until, errors.New("no valid trust anchor issued the certificate")
	}
	verified, err := leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return until, err
	}
	for _, path := range verified {
		if end := endOf(path); end.After(until) {
			until = end
		}
	}
	return until, nil
}

// anchorPool holds those anchors that are valid now and that some presented certificate names as its issuer.
func anchorPool(presented []*x509.Certificate, anchors registry.TrustAnchors, now time.Time) (pool *x509.CertPool, found bool) {
	pool = x509.NewCertPool()
	for _, anchor := range anchors.Anchors {
		if anchor.Valid == nil || now.Before(anchor.Valid.NotBefore) || now.After(anchor.Valid.NotAfter) {
			continue
		}
		certificate, err := registry.ParseCertificate(anchor.Valid.Certificate)
		if err != nil {
			continue
		}
		for _, c := range presented {
			if bytes.Equal(c.RawIssuer, certificate.RawSubject) {
				pool.AddCert(certificate)
				found = true
				break
			}
		}
	}
	return pool, found
}

// endOf is when the first certificate of a path expires.
func endOf(path []*x509.Certificate) time.Time {
	end := path[0].NotAfter
	for _, c := range path[1:] {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}
