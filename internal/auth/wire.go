package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/registry"
)

// The JSON of the device authentication API. A Client writes what functions/auth reads, and the other way round. All
// operations are POST with a JSON body and answer 200 for every decision, whatever it is.
const (
	PathAuthenticate = "/api/v1/auth"
	PathKeys         = "/api/v1/keys"
	PathAuthorizeAs  = "/api/v1/authorize_as"
)

// A WireRequest asks for any of the three operations. Only Authenticate has a credential; Keys has no As.
type WireRequest struct {
	Application string          `json:"application"`
	Device      string          `json:"device"`
	Credential  *WireCredential `json:"credential,omitempty"`
	As          string          `json:"as,omitempty"`
}

// String keeps the credential out of logs.
func (WireRequest) String() string { return "authentication request" }

// GoString keeps the credential out of logs.
func (r WireRequest) GoString() string { return r.String() }

// speakable tells whether JSON can carry the request as it is. What is not UTF-8 would arrive as something else, and the
// function takes a request without a name for none at all; no application, device or credential is named like that.
func (r WireRequest) speakable() bool {
	if r.Application == "" || r.Device == "" {
		return false
	}
	texts := []string{r.Application, r.Device, r.As}
	if r.Credential != nil {
		switch c := r.Credential.Credential.(type) {
		case Password:
			texts = append(texts, string(c))
		case UserPassword:
			texts = append(texts, c.Username, c.Password)
		}
	}
	return !slices.ContainsFunc(texts, func(text string) bool { return !utf8.ValidString(text) })
}

// A WireCredential is a credential in JSON: {"pass":…}, {"user":{"username":…,"password":…}} or {"cert":[DER,…]}, where
// DER is an array of byte values; a base64 text is read as well. Nothing else can be sent: a proven key is asked for
// with PathKeys.
type WireCredential struct{ Credential }

type wireUser struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// MarshalJSON writes the credential.
func (c WireCredential) MarshalJSON() ([]byte, error) {
	switch credential := c.Credential.(type) {
	case Password:
		return json.Marshal(map[string]string{"pass": string(credential)})
	case UserPassword:
		return json.Marshal(map[string]wireUser{"user": {credential.Username, credential.Password}})
	case CertificateChain:
		chain := make([][]uint16, len(credential))
		for i, der := range credential {
			chain[i] = make([]uint16, len(der))
			for j, b := range der {
				chain[i][j] = uint16(b)
			}
		}
		return json.Marshal(map[string][][]uint16{"cert": chain})
	default:
		return nil, fmt.Errorf("a %v cannot be sent", c.Credential)
	}
}

// UnmarshalJSON reads a credential. Errors say nothing of its content.
func (c *WireCredential) UnmarshalJSON(b []byte) error {
	var members struct {
		Password *string           `json:"pass"`
		User     *wireUser         `json:"user"`
		Chain    []json.RawMessage `json:"cert"`
	}
	errShape := errors.New("a credential has one of pass, user, cert")
	if json.Unmarshal(b, &members) != nil {
		return errShape
	}
	switch {
	case members.Password != nil && members.User == nil && members.Chain == nil:
		c.Credential = Password(*members.Password)
	case members.User != nil && members.Password == nil && members.Chain == nil:
		c.Credential = UserPassword{members.User.Username, members.User.Password}
	case members.Chain != nil && members.Password == nil && members.User == nil:
		return c.readChain(members.Chain)
	default:
		return errShape
	}
	return nil
}

func (c *WireCredential) readChain(texts []json.RawMessage) error {
	chain := make(CertificateChain, len(texts))
	for i, text := range texts {
		var der []byte // reads base64
		if json.Unmarshal(text, &der) == nil {
			chain[i] = der
			continue
		}
		var values []uint8Value
		if json.Unmarshal(text, &values) != nil {
			return errors.New("a certificate is an array of byte values or a base64 text")
		}
		for _, v := range values {
			chain[i] = append(chain[i], byte(v))
		}
	}
	c.Credential = chain
	return nil
}

// A uint8Value is a byte that is written as a number, so that a slice of them is no base64 text.
type uint8Value uint8

// A WireOutcome is the answer of PathAuthenticate and PathAuthorizeAs: "fail", or {"pass":…}.
type WireOutcome struct{ Pass *WirePass }

// A WirePass holds the documents of an admitted device. PathAuthorizeAs fills As only.
type WirePass struct {
	Application *registry.Application `json:"application,omitempty"`
	Device      *registry.Device      `json:"device,omitempty"`
	As          *registry.Device      `json:"as,omitempty"`
}

// RevisionsHeader is the header of an answer that tells the revisions of the documents that it rests on, which documents do not
// carry: of the application, the device, and the device to act for, in decimal, 0 where there is none. It is Fairlead's own
// addition; an answer without it is taken as well.
const RevisionsHeader = "Fairlead-Revisions"

// Revisions are the value of RevisionsHeader; "" for a refusal.
func (o WireOutcome) Revisions() string {
	if o.Pass == nil {
		return ""
	}
	return revisionsOf(metadataOf(o.Pass.Application, o.Pass.Device, o.Pass.As))
}

// Revisions are the value of RevisionsHeader; "" for no key.
func (o WireKeyOutcome) Revisions() string {
	if o.Found == nil {
		return ""
	}
	return revisionsOf(metadataOf(o.Found.Application, o.Found.Device, nil))
}

func (o WireOutcome) stamp(revisions string) {
	if o.Pass != nil {
		stamp(revisions, metadataOf(o.Pass.Application, o.Pass.Device, o.Pass.As))
	}
}

func (o WireKeyOutcome) stamp(revisions string) {
	if o.Found != nil {
		stamp(revisions, metadataOf(o.Found.Application, o.Found.Device, nil))
	}
}

func revisionsOf(documents [3]*registry.Metadata) string {
	var r [3]uint64
	for i, m := range documents {
		if m != nil {
			r[i] = m.Revision
		}
	}
	return fmt.Sprintf("%d %d %d", r[0], r[1], r[2])
}

// stamp puts revisions into documents; what does not parse stamps nothing.
func stamp(revisions string, documents [3]*registry.Metadata) {
	var r [3]uint64
	if _, err := fmt.Sscanf(revisions, "%d %d %d", &r[0], &r[1], &r[2]); err != nil {
		return
	}
	for i, m := range documents {
		if m != nil {
			m.Revision = r[i]
		}
	}
}

// metadataOf lists the metadata of documents, nil where there is none.
func metadataOf(application *registry.Application, device, as *registry.Device) (all [3]*registry.Metadata) {
	if application != nil {
		all[0] = &application.Metadata
	}
	if device != nil {
		all[1] = &device.Metadata
	}
	if as != nil {
		all[2] = &as.Metadata
	}
	return all
}

// A WireAnswer wraps an outcome.
type WireAnswer[T WireOutcome | WireKeyOutcome] struct {
	Outcome T `json:"outcome"`
}

func (a *WireAnswer[T]) stamp(revisions string) { any(a.Outcome).(stamped).stamp(revisions) }

// MarshalJSON writes the outcome.
func (o WireOutcome) MarshalJSON() ([]byte, error) {
	if o.Pass == nil {
		return []byte(`"fail"`), nil
	}
	return json.Marshal(map[string]*WirePass{"pass": o.Pass})
}

// UnmarshalJSON reads an outcome.
func (o *WireOutcome) UnmarshalJSON(b []byte) error {
	var object struct {
		Pass *WirePass `json:"pass"`
	}
	if string(b) == `"fail"` {
		o.Pass = nil
		return nil
	}
	if err := json.Unmarshal(b, &object); err != nil || object.Pass == nil {
		return errors.New("an outcome is \"fail\" or has the member pass")
	}
	o.Pass = object.Pass
	return nil
}

// A WireKeyOutcome is the answer of PathKeys: "NotFound", or {"Found":…}.
type WireKeyOutcome struct{ Found *WireKey }

// A WireKey is a key with the documents that it belongs to.
type WireKey struct {
	Application *registry.Application `json:"app"`
	Device      *registry.Device      `json:"device"`
	Key         registry.PreSharedKey `json:"key"`
}

// MarshalJSON writes the outcome.
func (o WireKeyOutcome) MarshalJSON() ([]byte, error) {
	if o.Found == nil {
		return []byte(`"NotFound"`), nil
	}
	return json.Marshal(map[string]*WireKey{"Found": o.Found})
}

// UnmarshalJSON reads an outcome.
func (o *WireKeyOutcome) UnmarshalJSON(b []byte) error {
	var object struct{ Found *WireKey }
	if string(b) == `"NotFound"` {
		o.Found = nil
		return nil
	}
	if err := json.Unmarshal(b, &object); err != nil || object.Found == nil {
		return errors.New("an outcome is \"NotFound\" or has the member Found")
	}
	o.Found = object.Found
	return nil
}
