package assertion

import (
	"context"
	"crypto/hmac"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The reasons to refuse an assertion.
var (
	errNoKey     = errors.New("who the client is comes from a gateway, and this function has no key to believe it by")
	errForm      = errors.New("who the client is comes in another form than gateways write")
	errSignature = errors.New("who the client is comes without a valid signature of a gateway")
	errTime      = errors.New("who the client is was signed too long ago, or by a clock that is wrong")
)

// A Verifier believes what signers with one of its keys say.
type Verifier struct {
	keys    [][]byte
	metrics *metrics
}

// NewVerifier makes a verifier with all keys of a valid configuration. Without one it refuses every assertion.
func NewVerifier(c Config) *Verifier {
	v := &Verifier{metrics: newMetrics()}
	for _, key := range c.Keys {
		v.keys = append(v.keys, []byte(key))
	}
	return v
}

// Handler has the next handler find the client of a request with Of, and the client's address as that of the connection,
// Request.RemoteAddr. The header is taken out of the request. A request without one passes as it is.
func (v *Verifier) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values, asserted := r.Header[Header]
		if !asserted {
			next.ServeHTTP(w, r)
			return
		}
		delete(r.Header, Header)
		c, err := v.verify(r, values, time.Now())
		if err != nil {
			v.metrics.refused(err)
		} else {
			r.RemoteAddr = c.Remote
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, claim{c, err})))
	})
}

// verify reads the client of a request. Nothing is read of what is not signed.
func (v *Verifier) verify(r *http.Request, values []string, now time.Time) (Client, error) {
	if len(v.keys) == 0 {
		return Client{}, errNoKey
	}
	if len(values) != 1 || len(values[0]) > maxBytes {
		return Client{}, errForm
	}
	end := strings.LastIndex(values[0], separator)
	if end < 0 {
		return Client{}, errForm
	}
	signed := values[0][:end]
	given, err := encoding.Strict().DecodeString(values[0][end+1:])
	if err != nil {
		return Client{}, errForm
	}
	if !v.signed(given, signed, r) {
		return Client{}, errSignature
	}
	rest, ok := strings.CutPrefix(signed, version+separator)
	if !ok {
		return Client{}, errForm
	}
	at, text, _ := strings.Cut(rest, separator)
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return Client{}, errForm
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > Life {
		return Client{}, errTime
	}
	c, err := parseClient(text)
	if err != nil {
		return Client{}, errForm
	}
	return c, nil
}

// signed tells whether a signature is of one of the keys. It compares with all of them in constant time.
func (v *Verifier) signed(given []byte, signed string, r *http.Request) (ok bool) {
	for _, key := range v.keys {
		if hmac.Equal(given, sign(key, signed, r.Method, r.RequestURI)) {
			ok = true
		}
	}
	return ok
}

// key is that of a claim in the context of a request.
type key struct{}

type claim struct {
	client Client
	err    error
}

// Of is the client that a gateway has asserted in a request, if one has. The error is why it is not believed; its request is to be
// refused.
func Of(ctx context.Context) (client Client, asserted bool, err error) {
	c, asserted := ctx.Value(key{}).(claim)
	return c.client, asserted, c.err
}
