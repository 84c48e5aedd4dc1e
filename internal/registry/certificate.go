package registry

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // as certificates name keys; who has another key with this hash still has to sign with the right one
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxTrustAnchors bounds the trust anchors of one application; further ones are invalid.
const MaxTrustAnchors = 32

// LabelTrustAnchor is the label of a device that says which trust anchor its certificate comes from, by its fingerprint. It is for
// people; nothing is decided by it.
const LabelTrustAnchor = "trust-anchor"

// attribute is an AttributeTypeAndValue of RFC 5280 section 4.1.2.4.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// relativeNameSET is a RelativeDistinguishedName. The suffix tells encoding/asn1 that it is a SET.
type relativeNameSET []attribute

// abbreviations are the attribute types that have a short name in the text form; all others are dotted numbers. The
// names are those of the x509-parser library, since aliases in existing registries were made with it.
var abbreviations = map[string]string{
	"2.5.4.3":                    "CN",
	"2.5.4.4":                    "surname",
	"2.5.4.5":                    "serialNumber",
	"2.5.4.6":                    "C",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "ST",
	"2.5.4.9":                    "streetAddress",
	"2.5.4.10":                   "O",
	"2.5.4.11":                   "OU",
	"2.5.4.12":                   "title",
	"2.5.4.13":                   "description",
	"0.9.2342.19200300.100.1.25": "DC",
	"1.2.840.113549.1.9.1":       "Email",
}

// DistinguishedName renders the DER of an X.501 name, such as a certificate's RawSubject, as the text by which
// applications and devices are found: parts in their encoded order, as in "O=Drogue IoT, OU=Cloud, CN=Device 1";
// several attributes of one part are joined by " + ". Values are taken literally, without escapes; those that are no
// string of ASCII or UTF-8 appear as upper-case hexadecimal digits.
func DistinguishedName(raw []byte) (string, error) {
	var name []relativeNameSET
	rest, err := asn1.Unmarshal(raw, &name)
	if err != nil || len(rest) > 0 {
		return "", errors.New("not a distinguished name in DER")
	}
	parts := make([]string, 0, len(name))
	for _, relative := range name {
		attributes := make([]string, 0, len(relative))
		for _, a := range relative {
			value, err := attributeValue(a.Value)
			if err != nil {
				return "", err
			}
			attributes = append(attributes, attributeType(a.Type)+"="+value)
		}
		parts = append(parts, strings.Join(attributes, " + "))
	}
	return strings.Join(parts, ", "), nil
}

func attributeType(id asn1.ObjectIdentifier) string {
	dotted := id.String()
	if short, ok := abbreviations[dotted]; ok {
		return short
	}
	return dotted
}

func attributeValue(v asn1.RawValue) (string, error) {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return strings.ToUpper(hex.EncodeToString(v.Bytes)), nil
	}
	switch v.Tag {
	case asn1.TagNumericString, asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagIA5String:
		if !utf8.Valid(v.Bytes) {
			return "", errors.New("a distinguished name contains text that is not UTF-8")
		}
		return string(v.Bytes), nil
	default:
		return strings.ToUpper(hex.EncodeToString(v.Bytes)), nil
	}
}

// ResolveTrustAnchors parses the section "trustAnchors" of an application's specification, whose certificates are
// base64 of PEM or DER, into the form that it has in the status. What is wrong with a certificate becomes an invalid
// anchor; only a section that does not parse as a whole is an error. No section resolves to no anchors.
func ResolveTrustAnchors(spec Sections) (TrustAnchors, error) {
	type section struct {
		Anchors []struct {
			Certificate json.RawMessage `json:"certificate"`
		} `json:"anchors"`
	}
	declared, _, err := Decode[section](spec, SectionTrustAnchors)
	if err != nil {
		return TrustAnchors{}, fmt.Errorf("spec: %w", err)
	}
	var resolved TrustAnchors
	for i, anchor := range declared.Anchors {
		valid, problem := resolveAnchor(i, anchor.Certificate)
		if problem != "" {
			resolved.Anchors = append(resolved.Anchors, TrustAnchor{Invalid: &InvalidAnchor{Error: "InvalidCertificate", Message: problem}})
			continue
		}
		resolved.Anchors = append(resolved.Anchors, TrustAnchor{Valid: valid})
	}
	return resolved, nil
}

func resolveAnchor(index int, encoded json.RawMessage) (valid *ValidAnchor, problem string) {
	if index >= MaxTrustAnchors {
		return nil, fmt.Sprintf("more than %d trust anchors", MaxTrustAnchors)
	}
	var text string
	if json.Unmarshal(encoded, &text) != nil || text == "" {
		return nil, "the certificate is not a string"
	}
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, "the certificate is not base64"
	}
	certificate, err := ParseCertificate(content)
	if err != nil {
		return nil, err.Error()
	}
	if !certificate.IsCA {
		return nil, "the certificate is not one of a certificate authority"
	}
	subject, err := DistinguishedName(certificate.RawSubject)
	if err != nil {
		return nil, err.Error()
	}
	if err := ValidateAlias(subject); err != nil {
		return nil, "the subject cannot be an alias: " + err.Error()
	}
	return &ValidAnchor{
		Subject:     subject,
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
		NotBefore:   certificate.NotBefore.UTC(),
		NotAfter:    certificate.NotAfter.UTC(),
	}, ""
}

// KeepProven takes over from the anchors as they are stored which keys are proven. A key that is not among them has to be proven anew.
func (t TrustAnchors) KeepProven(stored TrustAnchors) {
	proven := map[string]*time.Time{}
	for _, anchor := range stored.Anchors {
		if certificate := anchor.certificate(); certificate != nil && anchor.Valid.Proven != nil {
			proven[string(certificate.RawSubjectPublicKeyInfo)] = anchor.Valid.Proven
		}
	}
	for _, anchor := range t.Anchors {
		if certificate := anchor.certificate(); certificate != nil {
			anchor.Valid.Proven = proven[string(certificate.RawSubjectPublicKeyInfo)]
		}
	}
}

// Prove notes of every anchor with a key that it is proven.
func (t TrustAnchors) Prove(key *x509.Certificate, now time.Time) {
	now = now.UTC().Truncate(time.Second)
	for _, anchor := range t.Anchors {
		certificate := anchor.certificate()
		if certificate != nil && bytes.Equal(certificate.RawSubjectPublicKeyInfo, key.RawSubjectPublicKeyInfo) {
			anchor.Valid.Proven = &now
		}
	}
}

// Find gives the certificate of the valid anchor with a fingerprint, or nil.
func (t TrustAnchors) Find(fingerprint string) *x509.Certificate {
	for _, anchor := range t.Anchors {
		if certificate := anchor.certificate(); certificate != nil && Fingerprint(certificate) == fingerprint {
			return certificate
		}
	}
	return nil
}

// certificate is that of a valid anchor, or nil.
func (a TrustAnchor) certificate() *x509.Certificate {
	if a.Valid == nil {
		return nil
	}
	certificate, err := ParseCertificate(a.Valid.Certificate)
	if err != nil {
		return nil
	}
	return certificate
}

// Fingerprint is the SHA-256 of a certificate in hexadecimal digits.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// KeyIDs are the aliases that stand for the public key of a certificate: as the certificates that it issues name it in their
// authority key identifier, by the methods of RFC 5280 section 4.2.1.2 and RFC 7093 section 2. They are computed of the key, and not
// taken from the certificate, where anything may stand.
func KeyIDs(c *x509.Certificate) []string {
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		PublicKey asn1.BitString
	}
	if rest, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &key); err != nil || len(rest) > 0 {
		return nil
	}
	older, newer := sha1.Sum(key.PublicKey.Bytes), sha256.Sum256(key.PublicKey.Bytes)
	return []string{KeyID(older[:]), KeyID(newer[:sha1.Size])}
}

// KeyID is the alias for a key identifier.
func KeyID(identifier []byte) string { return "keyid=" + hex.EncodeToString(identifier) }

// ParseCertificate reads one X.509 certificate from PEM, where it is the first block of that type, or from DER.
func ParseCertificate(content []byte) (*x509.Certificate, error) {
	der := content
	if bytes.Contains(content, []byte("-----BEGIN")) {
		der = nil
		for rest := content; der == nil; {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				return nil, errors.New("no certificate in the PEM text")
			}
			if block.Type == "CERTIFICATE" {
				der = block.Bytes
			}
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("not an X.509 certificate")
	}
	return certificate, nil
}
