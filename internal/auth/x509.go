package auth

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
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

// FromCertificatesOf is FromCertificates for a client that names its application.
func FromCertificatesOf(application string, chain [][]byte) (Request, error) {
	request, err := FromCertificates(chain)
	if err != nil || registry.ValidateApplicationName(application) != nil {
		return Request{}, refused()
	}
	request.Application = application
	return request, nil
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

// presentedApplications are the names by which the application of a request may be found: the one that it gives, and the
// issuers of a chain, which may be subjects of trust anchors.
func presentedApplications(r Request) []string {
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
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// maxCandidates bounds the applications whose trust anchors are tried on one chain, besides those that are found by a key.
const maxCandidates = 128

// applicationOf finds the application of a request: by its name, or, for a chain of certificates, as the one that has a trust anchor which
// the chain leads to. A trust anchor is a key and not a name: whoever registers a certificate of the same subject has another
// key. Where several applications have the same key, it is the one in which the key is proven; if that is none, or more than one, the
// client has to name its own.
func (s *Service) applicationOf(ctx context.Context, r Request) (*registry.Application, error) {
	chain, ok := r.Credential.(CertificateChain)
	if !ok || registry.ValidateApplicationName(r.Application) == nil {
		return s.application(ctx, []string{r.Application})
	}
	certificates, err := parseChain(chain)
	if err != nil {
		return nil, errCertificate
	}
	names, err := s.candidates(ctx, certificates)
	if err != nil {
		return nil, err
	}
	var found claims
	for _, name := range names {
		application, err := s.registry.Application(ctx, name)
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if chain, ok := s.issued(application, certificates); ok {
			found.add(application, chain.Proven)
		}
	}
	return found.decide()
}

// claims are the applications to which a chain leads, by a proven key and by any other. One that is disabled counts only if its key
// is proven: its devices must not go to somebody who trusts the same key.
type claims struct {
	proven, others []*registry.Application
	disabled       bool // one with another key is disabled
}

func (c *claims) add(a *registry.Application, proven bool) {
	switch {
	case proven:
		c.proven = append(c.proven, a)
	case takesPart(a):
		c.others = append(c.others, a)
	default:
		c.disabled = true
	}
}

// decide gives the one application that is meant.
func (c *claims) decide() (*registry.Application, error) {
	switch {
	case len(c.proven) > 1, len(c.proven) == 0 && len(c.others) > 1:
		return nil, errAmbiguous
	case len(c.proven) == 1 && takesPart(c.proven[0]):
		return c.proven[0], nil
	case len(c.proven) == 0 && len(c.others) == 1:
		return c.others[0], nil
	case len(c.proven) == 1, c.disabled:
		return nil, errApplicationDisabled
	default:
		return nil, errNoApplication
	}
}

// candidates are the names of the applications that have a trust anchor that may have issued a certificate of the chain. Those
// with the key that the chain names come first: however many others have the same subject, they are found. Where the chain
// names no key, those with the subject are tried, as far as the bound goes.
func (s *Service) candidates(ctx context.Context, certificates []*x509.Certificate) (names []string, err error) {
	for _, alias := range slices.Concat(issuerKeys(certificates), issuers(certificates)) {
		more, err := s.registry.Anchored(ctx, alias)
		if err != nil {
			return nil, err
		}
		for _, name := range more {
			if len(names) < maxCandidates && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// issuerKeys are the aliases of the keys that issued the certificates of a chain, as far as it tells.
func issuerKeys(certificates []*x509.Certificate) (aliases []string) {
	for i, c := range certificates {
		if len(c.AuthorityKeyId) > 0 {
			aliases = append(aliases, registry.KeyID(c.AuthorityKeyId))
		}
		if i > 0 {
			aliases = append(aliases, registry.KeyIDs(c)...)
		}
	}
	return aliases
}

// issued tells whether the chain leads to a trust anchor of an application, whoever the device is.
func (s *Service) issued(a *registry.Application, certificates []*x509.Certificate) (chain VerifiedChain, ok bool) {
	anchors, _, err := registry.Decode[registry.TrustAnchors](a.Status, registry.SectionTrustAnchors)
	if err != nil {
		return chain, false
	}
	chain, err = verify(certificates, anchors, time.Now())
	return chain, err == nil
}

// A VerifiedChain leads to a trust anchor.
type VerifiedChain struct {
	Leaf   *x509.Certificate
	Anchor *x509.Certificate // of several, one whose key is proven comes first
	Proven bool              // whether the anchor's key is
	Until  time.Time         // when the first certificate expires; of several paths, the one that lasts longest counts
}

// VerifyChain checks that a chain leads to one of the application's own trust anchors, now, for client authentication. It does not
// look at the device that the chain names, nor at whether the application is enabled.
func VerifyChain(chain CertificateChain, a *registry.Application, now time.Time) (v VerifiedChain, err error) {
	certificates, err := parseChain(chain)
	if err != nil {
		return v, err
	}
	anchors, _, err := registry.Decode[registry.TrustAnchors](a.Status, registry.SectionTrustAnchors)
	if err != nil {
		return v, errAnchors
	}
	return verify(certificates, anchors, now)
}

// verifyDevice is VerifyChain for the device with that subject.
func verifyDevice(chain CertificateChain, subject string, a *registry.Application, now time.Time) (v VerifiedChain, err error) {
	if v, err = VerifyChain(chain, a, now); err != nil {
		return v, err
	}
	if name, err := registry.DistinguishedName(v.Leaf.RawSubject); err != nil || name != subject {
		return v, errors.New("the certificate is another device's")
	}
	return v, nil
}

// verify checks that a chain leads to one of the trust anchors, now, for client authentication: signatures, validity, extended key
// usages, path lengths and name constraints.
func verify(certificates []*x509.Certificate, anchors registry.TrustAnchors, now time.Time) (v VerifiedChain, err error) {
	v.Leaf = certificates[0]
	intermediates := x509.NewCertPool()
	for _, c := range certificates[1:] {
		intermediates.AddCert(understood(c))
	}
	pool := newAnchorPool(certificates, anchors, now)
	if pool.empty() {
		return v, errors.New("no valid trust anchor issued the certificate")
	}
	paths, err := certificates[0].Verify(x509.VerifyOptions{
		Roots:         pool.roots,
		Intermediates: intermediates,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return v, err
	}
	for _, path := range paths {
		if !namesPermitted(path) {
			continue
		}
		if end := endOf(path); end.After(v.Until) {
			v.Until = end
		}
		anchor := path[len(path)-1]
		if proven := pool.proven[string(anchor.Raw)]; v.Anchor == nil || (proven && !v.Proven) {
			v.Anchor, v.Proven = anchor, proven
		}
	}
	if v.Anchor == nil {
		return v, errors.New("an authority may not issue the name")
	}
	return v, nil
}

// An anchorPool holds those anchors that are valid now and that some presented certificate names as its issuer.
type anchorPool struct {
	roots  *x509.CertPool
	proven map[string]bool // by DER; whether the key is proven
}

func (p *anchorPool) empty() bool { return len(p.proven) == 0 }

func newAnchorPool(presented []*x509.Certificate, anchors registry.TrustAnchors, now time.Time) *anchorPool {
	pool := &anchorPool{x509.NewCertPool(), map[string]bool{}}
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
				pool.roots.AddCert(understood(certificate))
				pool.proven[string(certificate.Raw)] = anchor.Valid.Proven != nil
				break
			}
		}
	}
	return pool
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
