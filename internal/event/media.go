package event

import (
	"errors"
	"mime"
	"strings"
)

// Media types that the content rules produce.
const (
	JSON        = "application/json"
	OctetStream = "application/octet-stream"
)

// cloudEvents begins every media type that makes a Kafka record or an HTTP request a structured event: one or several
// (-batch), in any format (+json, +protobuf …).
const cloudEvents = "application/cloudevents"

// MediaType is what media types are compared by: type and subtype in lower case, without parameters (RFC 9110 section
// 8.3.1).
func MediaType(contentType string) string {
	essence, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.Trim(essence, " \t"))
}

// IsJSON tells whether data of a type is JSON, as readers of events see it.
func IsJSON(contentType string) bool {
	media := MediaType(contentType)
	return media == JSON || media == "text/json" || strings.HasSuffix(media, "+json")
}

// ValidateContentType checks that a declared media type can be an attribute: that every reader of the event can read it, and
// takes the data for data and not for an event. "" is valid.
func ValidateContentType(contentType string) error {
	if contentType == "" || contentType == JSON {
		return nil
	}
	if err := validateText("the content type", contentType, MaxContentType); err != nil {
		return err
	}
	if !isMedia(contentType) {
		return errors.New("the content type is not a media type")
	}
	if strings.HasPrefix(MediaType(contentType), cloudEvents) {
		return errors.New("the content type says that the body is a CloudEvent: devices send data, not events")
	}
	return nil
}

// isMedia tells whether a text is a media type by RFC 9110 section 8.3.1 and for Go's reader too, which is stricter in that
// it takes no parameter twice and none that is empty, except after the last semicolon. Media ranges as in the field Accept, */* or
// text/*, are of no data, and some readers take them for errors.
func isMedia(text string) bool {
	rest, ok := cutName(text)
	if last := len(text) - 1; last >= 0 && (text[last] == ' ' || text[last] == '\t') {
		return false
	}
	if !ok || !strings.HasPrefix(rest, "/") {
		return false
	}
	if rest, ok = cutName(rest[1:]); !ok {
		return false
	}
	if rest == "" {
		return true
	}
	for rest != "" {
		if rest, ok = cutParameter(rest); !ok {
			return false
		}
	}
	_, _, err := mime.ParseMediaType(text)
	return err == nil
}

// cutName reads the name of a type or of a subtype.
func cutName(text string) (rest string, ok bool) {
	rest, ok = cutToken(text)
	return rest, ok && text[:len(text)-len(rest)] != "*"
}

// cutParameter reads a semicolon and the parameter that may follow it.
func cutParameter(text string) (rest string, ok bool) {
	const space = " \t"
	rest, ok = strings.CutPrefix(strings.TrimLeft(text, space), ";")
	if !ok {
		return "", false
	}
	rest = strings.TrimLeft(rest, space)
	if rest == "" || rest[0] == ';' {
		return rest, true
	}
	if rest, ok = cutToken(rest); !ok {
		return "", false
	}
	if rest, ok = strings.CutPrefix(rest, "="); !ok {
		return "", false
	}
	if strings.HasPrefix(rest, `"`) {
		return cutQuoted(rest)
	}
	return cutToken(rest)
}

// cutToken reads a token (RFC 9110 section 5.6.2).
func cutToken(text string) (rest string, ok bool) {
	end := 0
	for end < len(text) && isTokenByte(text[end]) {
		end++
	}
	return text[end:], end > 0
}

func isTokenByte(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlphanumeric(c byte) bool { return isLetter(c) || isDigit(c) }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// cutQuoted reads a quoted string (RFC 9110 section 5.6.4) of printable ASCII.
func cutQuoted(text string) (rest string, ok bool) {
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return text[i+1:], true
		case c == '\\':
			i++
			if i == len(text) || !isPrintable(text[i]) {
				return "", false
			}
		case !isPrintable(c):
			return "", false
		}
	}
	return "", false
}

func isPrintable(c byte) bool { return c >= ' ' && c <= '~' }
