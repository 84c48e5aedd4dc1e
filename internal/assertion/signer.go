package assertion

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Header is the header of an assertion. A gateway takes it out of what its clients send.
const Header = "X-Fairlead-Identity"

// Life is for how long a signature is believed before and after its time: it bounds how long a request may be held for a function that
// is asleep, and how far clocks may differ.
const Life = time.Minute

// The form of a header: version, Unix time in seconds, the client's fields, signature.
const (
	version   = "1"
	separator = "."
)

// purpose begins what is signed, so that a key which signs other things too cannot be turned against us.
const purpose = "fairlead assertion 1\n"

// A Signer signs who clients are.
type Signer struct{ key []byte }

// NewSigner makes a signer with the first key of a valid configuration.
func NewSigner(c Config) (*Signer, error) {
	if len(c.Keys) == 0 {
		return nil, errors.New("keys: is missing; the functions behind the gateway have the same")
	}
	return &Signer{[]byte(c.Keys[0])}, nil
}

// A Statement is a client, written down once for all requests of its connection.
type Statement string

// State writes a client down. It fails for one that is larger than a header may be.
func State(c Client) (Statement, error) {
	if len(c.Chain) > maxCertificates {
		return "", errClient
	}
	text := c.text()
	if len(text) > maxBytes-maxRest {
		return "", errClient
	}
	return Statement(text), nil
}

// maxRest is what version, time and signature take of a header at most, in bytes.
const maxRest = 128

// Sign puts the client of a statement into the header of a request that is about to be sent, in place of what is there.
func (s *Signer) Sign(r *http.Request, of Statement) { s.signAt(r, of, time.Now()) }

func (s *Signer) signAt(r *http.Request, of Statement, now time.Time) {
	signed := version + separator + strconv.FormatInt(now.Unix(), 10) + separator + string(of)
	signature := sign(s.key, signed, r.Method, r.URL.RequestURI())
	r.Header[Header] = []string{signed + separator + encoding.EncodeToString(signature)}
}

// sign signs fields that hold no line feed, but for the last.
func sign(key []byte, signed, method, target string) []byte {
	h := hmac.New(sha256.New, key)
	b := make([]byte, 0, len(purpose)+len(signed)+len(method)+len(target)+2)
	b = append(b, purpose...)
	b = append(append(b, signed...), '\n')
	b = append(append(b, method...), '\n')
	b = append(b, target...)
	h.Write(b)
	return h.Sum(nil)
}
