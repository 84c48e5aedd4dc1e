package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Names of the sections that the data plane reads.
const (
	SectionCore            = "core"
	SectionAuthentication  = "authentication"
	SectionCredentials     = "credentials" // the older name of authentication
	SectionAlias           = "alias"
	SectionGatewaySelector = "gatewaySelector"
	SectionTrustAnchors    = "trustAnchors"
	SectionLoRaWAN         = "lorawan"
	SectionTTN             = "ttn"
	SectionMQTT            = "mqtt"
)

// Core is the section "core" of applications and devices.
type Core struct {
	Disabled bool `json:"disabled"`
}

// Authentication is the section "authentication" of a device.
type Authentication struct {
	Credentials []Credential `json:"credentials"`
}

// A Credential is one way in which a device may prove itself; exactly one field is set.
type Credential struct {
	Password     *Password     `json:"pass,omitempty"`
	User         *User         `json:"user,omitempty"`
	PreSharedKey *PreSharedKey `json:"psk,omitempty"`
	Certificate  *string       `json:"cert,omitempty"` // kept for the round trip; certificates are checked by trust anchor
}

// A User is a user name and password. A unique user name is also an alias of the device.
type User struct {
	Username string   `json:"username"`
	Password Password `json:"password"`
	Unique   bool     `json:"unique,omitempty"`
}

// A PreSharedKey is a key for DTLS or TLS. Validity may be absent: the key is then always valid.
type PreSharedKey struct {
	Key      []byte    `json:"key"` // base64 in JSON
	Validity *Validity `json:"validity,omitempty"`
}

// Validity is a span of time, both ends included.
type Validity struct {
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

// Contains tells whether a moment lies in the span. A span that lacks one of its ends contains nothing.
func (v *Validity) Contains(t time.Time) bool {
	return !v.NotBefore.IsZero() && !v.NotAfter.IsZero() && !t.Before(v.NotBefore) && !t.After(v.NotAfter)
}

// A PasswordKind says how a password is stored.
type PasswordKind string

// The kinds of stored passwords.
const (
	PlainPassword PasswordKind = "plain"
	BcryptHash    PasswordKind = "bcrypt" // $2a$, $2b$ or $2y$
	SHA512Crypt   PasswordKind = "sha512" // $6$, as crypt(3) makes it
	SaltedSHA256  PasswordKind = "sha256" // a SaltedHash, of a generated secret only; Fairlead's own
)

// A Password is stored as plain text or as a hash. In JSON it is a string (plain) or an object with one member that is
// named after its kind. Null is the zero Password.
type Password struct {
	Kind  PasswordKind
	Value string
}

// None tells whether this is no password: it was left out, null or empty. It admits nobody, even who presents nothing.
func (p Password) None() bool { return p.Kind == "" || p.Value == "" }

// UnmarshalJSON reads both forms. Errors say nothing of the value.
func (p *Password) UnmarshalJSON(b []byte) error {
	*p = Password{}
	if string(b) == "null" {
		return nil
	}
	var plain string
	if json.Unmarshal(b, &plain) == nil {
		*p = Password{PlainPassword, plain}
		return nil
	}
	var object map[PasswordKind]string
	if json.Unmarshal(b, &object) != nil || len(object) != 1 {
		return errors.New("a password is a string or an object with one of plain, bcrypt, sha512, sha256")
	}
	for kind, value := range object {
		if !slices.Contains([]PasswordKind{PlainPassword, BcryptHash, SHA512Crypt, SaltedSHA256}, kind) {
			return errors.New("a password is one of plain, bcrypt, sha512, sha256")
		}
		*p = Password{kind, value}
	}
	return nil
}

// MarshalJSON writes the object form, and null for the zero Password.
func (p Password) MarshalJSON() ([]byte, error) {
	if p.Kind == "" {
		return []byte("null"), nil
	}
	return json.Marshal(map[PasswordKind]string{p.Kind: p.Value})
}

// String keeps the value out of logs.
func (p Password) String() string { return string(p.Kind) + " password" }

// GoString keeps the value out of logs.
func (p Password) GoString() string { return p.String() }

// GatewaySelector lists, by name, the gateways that may act for a device.
type GatewaySelector struct {
	MatchNames []string `json:"matchNames"`
}

// LoRaWAN describes the ports of a LoRaWAN device.
type LoRaWAN struct {
	Ports map[string]LoRaWANPort `json:"ports"`
}

// A LoRaWANPort says what the payload of one port conforms to.
type LoRaWANPort struct {
	DataSchema string `json:"data_schema"`
}

// TTNPayload selects what of a webhook body becomes the data of the event.
type TTNPayload string

// The selections; anything else means TTNFull.
const (
	TTNFull   TTNPayload = ""
	TTNRaw    TTNPayload = "raw"
	TTNFields TTNPayload = "fields"
)

// TTN is the section "ttn" of a device as far as the webhook reads it.
type TTN struct {
	Payload TTNPayload `json:"payload"`
}

// TrustAnchors is the section "trustAnchors" of an application's status: the anchors of its specification, parsed.
type TrustAnchors struct {
	Anchors []TrustAnchor `json:"anchors"`
}

// A TrustAnchor is either valid or says what is wrong with it.
type TrustAnchor struct {
	Valid   *ValidAnchor   `json:"valid,omitempty"`
	Invalid *InvalidAnchor `json:"invalid,omitempty"`
}

// A ValidAnchor is a certificate authority whose certificates admit devices.
type ValidAnchor struct {
	Subject     string    `json:"subject"`     // distinguished name as DistinguishedName renders it
	Certificate []byte    `json:"certificate"` // PEM, base64 in JSON
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	// Proven is when somebody has shown that the application's owner has the authority's key; nil is never.
	Proven *time.Time `json:"proven,omitempty"`
}

// An InvalidAnchor says why a certificate of the specification cannot be used.
type InvalidAnchor struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

// Credentials reads the credentials of a device from the section "authentication", or from "credentials" if there is
// no "authentication". No section is an empty list.
func (d *Device) Credentials() ([]Credential, error) {
	for _, name := range []string{SectionAuthentication, SectionCredentials} {
		section, ok, err := Decode[Authentication](d.Spec, name)
		if err != nil || ok {
			return section.Credentials, err
		}
	}
	return nil, nil
}

// Enabled tells whether a specification's section "core" lets the resource take part. A section that does not parse
// counts as disabled.
func (s Sections) Enabled() bool {
	core, _, err := Decode[Core](s, SectionCore)
	return err == nil && !core.Disabled
}

// AcceptsGateway tells whether a device lets the gateway with that registry name act for it.
func (d *Device) AcceptsGateway(name string) bool {
	selector, _, err := Decode[GatewaySelector](d.Spec, SectionGatewaySelector)
	return err == nil && slices.Contains(selector.MatchNames, name)
}

// DataSchema is the schema that a device declares for one LoRaWAN port, or "".
func (d *Device) DataSchema(port uint16) string {
	section, _, err := Decode[LoRaWAN](d.Spec, SectionLoRaWAN)
	if err != nil {
		return ""
	}
	return section.Ports[strconv.Itoa(int(port))].DataSchema
}

// Payload is what of a TTN webhook the device wants as data.
func (d *Device) Payload() TTNPayload {
	section, _, err := Decode[TTN](d.Spec, SectionTTN)
	if err != nil || (section.Payload != TTNRaw && section.Payload != TTNFields) {
		return TTNFull
	}
	return section.Payload
}

// An AliasKind says where an alias comes from.
type AliasKind string

// The kinds of aliases. All aliases of one application's devices share one space of values.
const (
	AliasName        AliasKind = "name"     // the resource's own name
	AliasExplicit    AliasKind = "alias"    // listed in the section "alias"
	AliasUsername    AliasKind = "username" // a unique user name
	AliasTrustAnchor AliasKind = "x509/ca"  // subject of an application's trust anchor
)

// An Alias is a name by which a resource is found.
type Alias struct {
	Kind  AliasKind
	Value string
}

// Aliases lists every name by which a device is found, its own name first, each value once.
func (d *Device) Aliases() ([]Alias, error) {
	aliases := []Alias{{AliasName, d.Metadata.Name}}
	add := func(kind AliasKind, value string) error {
		if err := ValidateDeviceName(value); err != nil {
			return fmt.Errorf("spec.%s: %w", kind, err)
		}
		if !slices.ContainsFunc(aliases, func(a Alias) bool { return a.Value == value }) {
			aliases = append(aliases, Alias{kind, value})
		}
		return nil
	}
	explicit, _, err := Decode[[]string](d.Spec, SectionAlias)
	if err != nil {
		return nil, err
	}
	for _, value := range explicit {
		if err := add(AliasExplicit, value); err != nil {
			return nil, err
		}
	}
	credentials, err := d.Credentials()
	if err != nil {
		return nil, err
	}
	for _, c := range credentials {
		if c.User == nil || !c.User.Unique {
			continue
		}
		if err := add(AliasUsername, c.User.Username); err != nil {
			return nil, err
		}
	}
	return aliases, nil
}

// Aliases lists every name by which an application is found: its own name, and the subjects and keys of its trust anchors.
func (a *Application) Aliases() ([]Alias, error) {
	aliases := []Alias{{AliasName, a.Metadata.Name}}
	anchors, _, err := Decode[TrustAnchors](a.Status, SectionTrustAnchors)
	if err != nil {
		return nil, err
	}
	for _, anchor := range anchors.Anchors {
		if anchor.Valid == nil {
			continue
		}
		names := []string{anchor.Valid.Subject}
		if certificate, err := ParseCertificate(anchor.Valid.Certificate); err == nil {
			names = append(names, KeyIDs(certificate)...)
		}
		for _, name := range names {
			if !slices.ContainsFunc(aliases, func(x Alias) bool { return x.Value == name }) {
				aliases = append(aliases, Alias{AliasTrustAnchor, name})
			}
		}
	}
	return aliases, nil
}
