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
	PathRenewals     = "/api/v1/renewals" // Fairlead's own addition
)

// A WireRequest asks for any of the operations. Only Authenticate has a credential; Keys has no As. What follows As is
// Fairlead's own addition, which others ignore.
type WireRequest struct {
	Application string          `json:"application"`
	Device      string          `json:"device"`
	Credential  *WireCredential `json:"credential,omitempty"`
	As          string          `json:"as,omitempty"`
	Remote      string          `json:"remote,omitempty"`   // address of the device, which the function only logs
	Renewal     bool            `json:"renewal,omitempty"`  // see Request.Renewal
	Verified    bool            `json:"verified,omitempty"` // admit nothing but what was verified before: the sender guesses
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
	texts := []string{r.Application, r.Device, r.As, r.Remote}
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
// DER is an array of byte values; a base64 text is read as well. {"proof":…} is Fairlead's own addition. Nothing else can
// be sent.
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
	case Proof:
		return json.Marshal(map[string]string{"proof": credential.text()})
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
		Proof    *string           `json:"proof"`
	}
	errShape := errors.New("a credential has one of pass, user, cert, proof")
	if json.Unmarshal(b, &members) != nil {
		return errShape
	}
	switch {
	case members.Proof != nil:
		if members.Password != nil || members.User != nil || members.Chain != nil {
			return errShape
		}
		proof, err := parseProof(*members.Proof)
		c.Credential = proof
		return err
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
type WireOutcome struct {
	Pass  *WirePass
	Notes Notes // beside the body
}

// A WirePass holds the documents of an admitted device. PathAuthorizeAs fills As only.
type WirePass struct {
	Application *registry.Application `json:"application,omitempty"`
	Device      *registry.Device      `json:"device,omitempty"`
	As          *registry.Device      `json:"as,omitempty"`
}

// A WireAnswer wraps an outcome.
type WireAnswer[T WireOutcome | WireKeyOutcome] struct {
	Outcome T `json:"outcome"`
}

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
type WireKeyOutcome struct {
	Found *WireKey
	Notes Notes // beside the body
}

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
