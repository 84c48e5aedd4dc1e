package user

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/header"
)

// Limits of a credential, in bytes.
const (
	maxCredential = 16 << 10
	maxUser       = 255
)

// A Credential is what a caller shows: a Bearer or an AccessToken. Nil is nobody. None appears in text.
type Credential interface{ isCredential() }

// A Bearer is a token of an OpenID provider, or an access token of ours without a user name.
type Bearer string

// An AccessToken is an access token of ours with the name or the ID of its user.
type AccessToken struct{ User, Secret string }

func (Bearer) isCredential()      {}
func (AccessToken) isCredential() {}

// String keeps the token out of logs.
func (Bearer) String() string { return "bearer token" }

// GoString keeps the token out of logs.
func (Bearer) GoString() string { return "bearer token" }

// String keeps the token out of logs.
func (AccessToken) String() string { return "access token" }

// GoString keeps the token out of logs.
func (AccessToken) GoString() string { return "access token" }

// FromHTTP reads the credential of a request, nil if it has none:
//
//	Authorization: Bearer T         token T
//	Authorization: Basic U:T        access token T of user U
//	?token=T                        token T
//	?username=U&api_key=T           access token T of user U
//
// More than one is outcome.Unauthenticated, and so is one that cannot be read: it is never taken for none. A query
// that does not parse is outcome.Invalid. A user name alone is no credential.
func FromHTTP(r *http.Request) (Credential, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("the query does not parse")
	}
	headers, tokens, keys := r.Header.Values(header.Authorization), query["token"], query["api_key"]
	if len(headers)+len(tokens)+len(keys) > 1 {
		return nil, several()
	}
	switch {
	case len(headers) == 1:
		return fromHeader(headers[0])
	case len(tokens) == 1:
		return newBearer(tokens[0])
	case len(keys) == 1:
		if len(query["username"]) != 1 {
			return nil, refused(errMalformed)
		}
		return newAccessToken(query.Get("username"), keys[0])
	default:
		return nil, nil
	}
}

// FromLogin reads the credential of a log-in with a user name and a password, of which either may be missing:
//
//	U and T   access token T of user U
//	T alone   token T, wherever it stands
//	neither   nil
//
// The errors are those of FromHTTP.
func FromLogin(user, password string) (Credential, error) {
	switch {
	case user != "" && password != "":
		return newAccessToken(user, password)
	case user != "" || password != "":
		return newBearer(user + password)
	default:
		return nil, nil
	}
}

// fromHeader reads an Authorization header (RFC 9110 section 11.6.2). Schemes are compared without case.
func fromHeader(field string) (Credential, error) {
	if len(field) > maxCredential {
		return nil, refused(errMalformed)
	}
	if token, ok := header.Scheme(field, "Bearer"); ok {
		return newBearer(token)
	}
	if content, ok := header.Scheme(field, "Basic"); ok {
		decoded, err := base64.StdEncoding.Strict().DecodeString(content)
		user, secret, ok := strings.Cut(string(decoded), ":")
		if err != nil || !ok {
			return nil, refused(errMalformed)
		}
		return newAccessToken(user, secret)
	}
	return nil, refused(errScheme)
}

func newBearer(token string) (Credential, error) {
	if token == "" || len(token) > maxCredential || strings.ContainsFunc(token, notTokenCharacter) {
		return nil, refused(errMalformed)
	}
	return Bearer(token), nil
}

// notTokenCharacter tells what stands in no token68 (RFC 9110 section 11.2) nor in an access token.
func notTokenCharacter(r rune) bool {
	return r >= utf8.RuneSelf || (!isAlphanumeric(string(r)) && !strings.ContainsRune("-._~+/=", r))
}

func newAccessToken(user, secret string) (Credential, error) {
	if user == "" || len(user) > maxUser || !utf8.ValidString(user) || len(secret) > maxSecret {
		return nil, refused(errMalformed)
	}
	return AccessToken{user, secret}, nil
}
