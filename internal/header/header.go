package header

import (
	"net/http"
	"net/textproto"
	"strings"
)

// Names of fields that stand in a request at most once.
const (
	Authorization = "Authorization"
	ContentType   = "Content-Type"
)

// Single is the value of a field, "" if it is absent. It is not ok if the field is there more than once: whoever reads the
// request besides, a proxy perhaps, may then take another value than we do.
func Single(h http.Header, name string) (value string, ok bool) {
	switch values := h[textproto.CanonicalMIMEHeaderKey(name)]; len(values) {
	case 0:
		return "", true
	case 1:
		return values[0], true
	default:
		return "", false
	}
}

// Scheme is what follows a scheme in an Authorization field (RFC 9110 section 11.4). Schemes are compared without case. It is
// not ok if the field has another scheme.
func Scheme(authorization, scheme string) (content string, ok bool) {
	given, content, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(given, scheme) {
		return "", false
	}
	return strings.TrimLeft(content, " "), true
}
