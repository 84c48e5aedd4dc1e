package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
	"unicode/utf8"
)

// maxCommonName is how many characters a common name may have, as RFC 5280 has it.
const maxCommonName = 64

// clockSkew is how far the clocks of gateways may be behind that of who makes certificates.
const clockSkew = 5 * time.Minute

// A Pair is a certificate with its private key.
type Pair struct {
	Certificate *x509.Certificate
	key         crypto.Signer
}

// NewAuthority makes an authority with a key on P-256, from now until that moment. It issues certificates of devices, and no other
// authorities.
func NewAuthority(subject pkix.Name, until time.Time) (*Pair, error) {
	return sign(nil, &x509.Certificate{
		Subject: subject, NotAfter: until, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	})
}

// Issue makes a key on P-256 for a device, and a certificate with which it shows who it is: until that moment, or until the authority
// ends, if that is earlier.
func (p *Pair) Issue(subject pkix.Name, until time.Time) (*Pair, error) {
	if p.Certificate.NotAfter.Before(until) {
		until = p.Certificate.NotAfter
	}
	return sign(p, &x509.Certificate{
		Subject: subject, NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// TLS is the pair as a client shows it in a handshake.
func (p *Pair) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.Certificate.Raw}, PrivateKey: p.key, Leaf: p.Certificate}
}

// Prove makes a certificate whose common name is a code that a registry gave out. It shows that its maker has the authority's key.
func (p *Pair) Prove(code string) (*x509.Certificate, error) {
	made, err := p.Issue(pkix.Name{CommonName: code}, time.Now().Add(time.Hour))
	if err != nil {
		return nil, err
	}
	return made.Certificate, nil
}

// sign makes a key and a certificate for it, which the issuer signs, or, if that is nil, the key itself.
func sign(issuer *Pair, template *x509.Certificate) (*Pair, error) {
	now := time.Now()
	switch name := template.Subject.CommonName; {
	case utf8.RuneCountInString(name) > maxCommonName:
		return nil, fmt.Errorf("a common name has at most %d characters", maxCommonName)
	case !template.NotAfter.After(now):
		return nil, errors.New("a certificate must not end before it begins")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	const serialBits = 159 // positive, in 20 bytes
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits)); err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	template.NotBefore = now.Add(-clockSkew)
	if issuer == nil {
		issuer = &Pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Certificate, key.Public(), issuer.key)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the new certificate: %w", err)
	}
	return &Pair{certificate, key}, nil
}
