package registry

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// MaxEndpointHeaders bounds the headers that an external endpoint may name.
const MaxEndpointHeaders = 32

// An ExternalEndpoint is an HTTP address outside of Fairlead, as users of the registry write it.
type ExternalEndpoint struct {
	URL     string          `json:"url"`
	Method  string          `json:"method"` // "" means POST
	TLS     EndpointTLS     `json:"tls"`
	Auth    EndpointAuth    `json:"auth"`
	Headers EndpointHeaders `json:"headers"` // added to every request
	Timeout Span            `json:"timeout"` // of one request; 0 leaves it to who sends
}

// EndpointTLS says whom an endpoint's server certificate has to come from.
type EndpointTLS struct {
	Insecure    bool   `json:"insecure"`    // takes any certificate
	Certificate string `json:"certificate"` // PEM, trusted in addition to the system's authorities; "" for none
}

// EndpointAuth is how Fairlead proves itself to an endpoint: by at most one of the two. In JSON it is "none", which is also what
// applies without it, or an object with one member.
type EndpointAuth struct {
	Basic  *BasicAuth
	Bearer *BearerAuth
}

// BasicAuth is a user name with an optional password (RFC 7617).
type BasicAuth struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// BearerAuth is a token (RFC 6750).
type BearerAuth struct {
	Token string `json:"token"`
}

// String keeps the password out of logs.
func (BasicAuth) String() string { return "basic" }

// GoString keeps the password out of logs.
func (BasicAuth) GoString() string { return "basic" }

// String keeps the token out of logs.
func (BearerAuth) String() string { return "bearer" }

// GoString keeps the token out of logs.
func (BearerAuth) GoString() string { return "bearer" }

var errEndpointAuth = errors.New(`an auth is "none" or has exactly one of basic, bearer`)

// UnmarshalJSON reads both forms. Errors say nothing of the values.
func (a *EndpointAuth) UnmarshalJSON(b []byte) error {
	*a = EndpointAuth{}
	if text := string(b); text == "null" || text == `"none"` {
		return nil
	}
	var object struct {
		Basic  *BasicAuth  `json:"basic"`
		Bearer *BearerAuth `json:"bearer"`
	}
	if unmarshal(b, &object) != nil || (object.Basic == nil) == (object.Bearer == nil) {
		return errEndpointAuth
	}
	*a = EndpointAuth{object.Basic, object.Bearer}
	return nil
}

// An EndpointHeader is one header field. In JSON it is {"name":NAME,"value":VALUE} or {NAME:VALUE}.
type EndpointHeader struct{ Name, Value string }

// String keeps the value out of logs.
func (h EndpointHeader) String() string { return h.Name }

// GoString keeps the value out of logs.
func (h EndpointHeader) GoString() string { return h.Name }

var errEndpointHeader = errors.New("a header is an object with name and value, or with one member that is called as the header")

// UnmarshalJSON reads both forms. Errors say nothing of the value.
func (h *EndpointHeader) UnmarshalJSON(b []byte) error {
	*h = EndpointHeader{}
	var object map[string]string
	if json.Unmarshal(b, &object) != nil {
		return errEndpointHeader
	}
	name, named := object["name"]
	value, valued := object["value"]
	if len(object) == 2 && named && valued {
		*h = EndpointHeader{name, value}
		return nil
	}
	if len(object) != 1 {
		return errEndpointHeader
	}
	for name, value := range object {
		*h = EndpointHeader{name, value}
	}
	return nil
}

// EndpointHeaders are header fields. In JSON they are a list of EndpointHeader, or an object {NAME:VALUE}, whose members are taken in
// the order of their names.
type EndpointHeaders []EndpointHeader

// UnmarshalJSON reads both forms. Errors say nothing of the values.
func (h *EndpointHeaders) UnmarshalJSON(b []byte) error {
	if kindOf(b) != isObject {
		return json.Unmarshal(b, (*[]EndpointHeader)(h))
	}
	var object map[string]string
	if json.Unmarshal(b, &object) != nil {
		return errEndpointHeader
	}
	*h = make(EndpointHeaders, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		*h = append(*h, EndpointHeader{name, object[name]})
	}
	return nil
}

// Problem says what is wrong with a header, or "". What frames a request or belongs to the event is not the endpoint's to say.
func (h EndpointHeader) Problem() string {
	name := textproto.CanonicalMIMEHeaderKey(h.Name)
	switch {
	case !httpguts.ValidHeaderFieldName(h.Name):
		return "has a name that no HTTP header can have"
	case !httpguts.ValidHeaderFieldValue(h.Value):
		return "has a value that no HTTP header can have"
	case name == "Content-Type" || strings.HasPrefix(name, "Ce-"):
		return "is an attribute of the event, and not sent"
	case slices.Contains(framing, name):
		return "belongs to the connection, and is not sent"
	}
	return ""
}

// framing are the headers of a connection and of its messages (RFC 9110 section 7.6.1, RFC 9112).
var framing = []string{
	"Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// Validate names the first field that makes the endpoint unusable, and none of its content. Headers with a Problem do not.
func (e *ExternalEndpoint) Validate() error {
	for _, part := range []struct{ field, problem string }{
		{"url", endpointURLProblem(e.URL)},
		{"method", methodProblem(e.Method)},
		{"tls.certificate", authoritiesProblem(e.TLS.Certificate)},
		{"auth", e.Auth.problem()},
	} {
		if part.problem != "" {
			return fmt.Errorf("%s: %s", part.field, part.problem)
		}
	}
	if len(e.Headers) > MaxEndpointHeaders {
		return fmt.Errorf("headers: more than %d", MaxEndpointHeaders)
	}
	return nil
}

func endpointURLProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is missing"
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		return "must be an http or https URL"
	}
	return ""
}

func methodProblem(method string) string {
	switch {
	case method == "":
		return ""
	case !httpguts.ValidHeaderFieldName(method): // which is a token, as a method is (RFC 9110 section 9.1)
		return "must be an HTTP method"
	case strings.EqualFold(method, http.MethodConnect):
		return "must not be CONNECT"
	}
	return ""
}

func authoritiesProblem(certificates string) string {
	if certificates != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(certificates)) {
		return "must hold a certificate in PEM"
	}
	return ""
}

func (a *EndpointAuth) problem() string {
	switch {
	case a.Basic != nil && strings.Contains(a.Basic.Username, ":"):
		return "has a user name with a colon"
	case a.Bearer != nil && (a.Bearer.Token == "" || !httpguts.ValidHeaderFieldValue(a.Bearer.Token)):
		return "has a token that no HTTP header can have"
	}
	return ""
}
