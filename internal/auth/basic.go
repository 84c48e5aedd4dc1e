package auth

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/outcome"
)

// MaxAuthorization is the size limit in bytes of an Authorization header or CoAP option.
const MaxAuthorization = 8 << 10

const basicScheme = "Basic"

// FromHTTP makes a request of an HTTP Authorization header, or of the CoAP option of the same content, and of the query
// parameters application and device ("" if absent):
//
//	application  device  user  request
//	                     D@A   device D of application A, password
//	A                    U     device U of application A, password
//	A            D       U     device D of application A, user name U and password
//	             D       U@A   device D of application A, user name U and password
//
// A user is split at its first "@". What is left of it is percent-decoded, the application is taken literally. Where the
// query gives the application, a user that contains "@" stands for itself as a whole. Everything else is
// outcome.Unauthenticated: the scheme is Basic, in whatever case, the encoding standard base64 with or without padding, the
// content UTF-8 with a colon.
func FromHTTP(authorization, application, device string) (Request, error) {
	user, password, ok := parseBasic(authorization)
	if !ok {
		return Request{}, refused()
	}
	left, right, scoped := splitUser(user)
	if !utf8.ValidString(left) {
		return Request{}, refused()
	}
	switch {
	case application != "":
		if scoped {
			left += "@" + right
		}
		if device == "" {
			return Request{Application: application, Device: left, Credential: Password(password)}, nil
		}
		return Request{Application: application, Device: device, Credential: UserPassword{left, password}}, nil
	case !scoped:
		return Request{}, refused()
	case device != "":
		return Request{Application: right, Device: device, Credential: UserPassword{left, password}}, nil
	default:
		return Request{Application: right, Device: left, Credential: Password(password)}, nil
	}
}

// refused is the one error for every reason not to admit a device.
func refused() error { return outcome.New(outcome.Unauthenticated, "") }

// parseBasic reads an Authorization value of the scheme Basic (RFC 7617).
func parseBasic(authorization string) (user, password string, ok bool) {
	encoded, ok := header.Scheme(authorization, basicScheme)
	if !ok || len(authorization) > MaxAuthorization {
		return "", "", false
	}
	decoded, ok := decodeBase64(encoded)
	if !ok || !utf8.ValidString(decoded) {
		return "", "", false
	}
	return strings.Cut(decoded, ":")
}

// decodeBase64 reads the standard alphabet. Padding is either complete or absent. Line breaks, which Go's decoder would
// skip, are refused.
func decodeBase64(encoded string) (string, bool) {
	bare := encoded
	if len(encoded)%4 == 0 {
		bare = strings.TrimSuffix(strings.TrimSuffix(encoded, "="), "=")
	}
	if strings.ContainsAny(bare, "\r\n") {
		return "", false
	}
	decoded, err := base64.RawStdEncoding.Strict().DecodeString(bare)
	return string(decoded), err == nil
}

// splitUser splits device@application at the first "@" and percent-decodes the device.
func splitUser(user string) (device, application string, scoped bool) {
	device, application, scoped = strings.Cut(user, "@")
	return percentDecode(device), application, scoped
}

// percentDecode decodes every %XX. A percent sign that no two hexadecimal digits follow stands for itself, so that
// devices may send their name as it is.
func percentDecode(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	decoded := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			high, low := unhex(text[i+1]), unhex(text[i+2])
			if high >= 0 && low >= 0 {
				decoded = append(decoded, byte(high<<4|low))
				i += 2
				continue
			}
		}
		decoded = append(decoded, text[i])
	}
	return string(decoded)
}

// unhex is the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
