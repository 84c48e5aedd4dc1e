package event

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of attributes, in bytes.
const (
	MaxID          = 128
	MaxSubject     = 1024
	MaxContentType = 256
	MaxDataSchema  = 2048
	MaxExtension   = 1024 // value of one extension
)

// ErrBrokenJSON says that data declared as JSON is not JSON.
var ErrBrokenJSON = errors.New("the content type is JSON but the body is not")

// Normalize applies the content rules to a body and its declared media type, "" for none. Declared JSON must be JSON;
// its type becomes application/json and its text compact. Any other declared type leaves type and body as they are.
// Without a type, a body that is JSON is treated as JSON and every other body as an octet stream. The result never
// shares memory with body.
func Normalize(contentType string, body []byte) (normalType string, data []byte, err error) {
	if contentType != "" && !IsJSON(contentType) {
		return contentType, append([]byte(nil), body...), nil
	}
	compact, err := AppendJSON(make([]byte, 0, len(body)), body)
	switch {
	case err == nil:
		return JSON, compact, nil
	case contentType != "":
		return "", nil, ErrBrokenJSON
	default:
		return OctetStream, append([]byte(nil), body...), nil
	}
}

// ValidateSubject checks that a channel can be the subject of an event: 1 to MaxSubject bytes of text. It neither begins nor
// ends with white space, which readers of events and of HTTP headers strip, so that it would be another channel to them.
func ValidateSubject(subject string) error {
	if subject == "" {
		return errors.New("the channel is empty")
	}
	if strings.TrimSpace(subject) != subject {
		return errors.New("the channel begins or ends with white space")
	}
	return validateText("the channel", subject, MaxSubject)
}

// ValidateID checks an id that an adapter chose. "" is valid.
func ValidateID(id string) error { return validateText("the id", id, MaxID) }

// ValidateDataSchema checks for an absolute URI, as CloudEvents section 3.1.2 demands for dataschema: an event with
// anything else cannot be read by strict consumers. "" is valid.
func ValidateDataSchema(schema string) error {
	if schema == "" {
		return nil
	}
	if err := validateText("data_schema", schema, MaxDataSchema); err != nil {
		return err
	}
	if !isURI(schema) {
		return errors.New("data_schema is not an absolute URI")
	}
	return nil
}

// ValidateExtension checks a name and a value by CloudEvents section 3: lower-case letters and digits, at most 20 of
// them; text without control characters. Names of attributes that the pipeline or who delivers the event sets are refused;
// SetByDevices tells of those that only adapters may set.
func ValidateExtension(name, value string) error {
	if name == "" || len(name) > 20 {
		return errors.New("an extension's name has 1 to 20 characters")
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && !isDigit(c) {
			return errors.New("an extension's name has lower-case letters and digits only")
		}
	}
	if setterOf(name) == nobody {
		return fmt.Errorf("the attribute %q is not the sender's to set", name)
	}
	return validateText("the extension "+name, value, MaxExtension)
}

// validateText checks for UTF-8 of bounded length, without control characters and what Unicode says is no character, neither
// of which a CloudEvents attribute may hold (section 3.1). Errors name what was checked, not its value.
func validateText(what, text string, limit int) error {
	if len(text) > limit {
		return fmt.Errorf("%s is longer than %d bytes", what, limit)
	}
	if isPlainText(text) {
		return nil
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s is not UTF-8", what)
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%s contains a control character", what)
	}
	if strings.ContainsFunc(text, isNoncharacter) {
		return fmt.Errorf("%s contains a code point that is no character", what)
	}
	return nil
}

// isPlainText tells whether a text consists of printable ASCII, as nearly every one does.
func isPlainText(text string) bool {
	for i := range len(text) {
		if !isPrintable(text[i]) {
			return false
		}
	}
	return true
}

// isNoncharacter tells whether Unicode has set a code point aside for ever (section 23.7 of its standard).
func isNoncharacter(r rune) bool { return r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef }
