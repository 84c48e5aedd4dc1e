package ttn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/event"
)

// Limits of a body, besides its size, which the caller bounds.
const (
	maxDepth   = 64  // arrays and objects inside each other; the stack's own nest less than ten
	maxMembers = 256 // of an object that is looked into; the stack's own have less than thirty
)

var errKind = errors.New("not of the expected kind")

// An object is a JSON object whose members are not decoded yet. Names are matched exactly; encoding/json by itself
// ignores case and lets the last of several equal members win, and either could make the device that is named here
// another one than a consumer of the body reads.
type object map[string]json.RawMessage

// parseBody reads a body as an object. Its depth is checked before anything is decoded.
func parseBody(body []byte) (object, error) {
	switch {
	case len(body) == 0:
		return nil, malformed("the body is empty")
	case !utf8.Valid(body):
		return nil, malformed("the body is not UTF-8; the webhook's format has to be JSON")
	case depth(body) > maxDepth:
		return nil, malformed("the body is nested deeper than " + strconv.Itoa(maxDepth) + " levels")
	}
	// The pipeline's own rule for JSON, which is stricter than encoding/json: what passes here is never rejected there.
	if _, _, err := event.Normalize(event.JSON, body); err != nil {
		return nil, malformed("the body is not JSON")
	}
	return parseObject(body, "the body")
}

// parseObject reads the members of a valid JSON value; path is what a refusal calls it.
func parseObject(raw []byte, path string) (object, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, malformed(path + " is not an object")
	}
	members := make(object)
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, malformed(path + " is not an object")
		}
		if len(members) == maxMembers {
			return nil, malformed(path + " has more than " + strconv.Itoa(maxMembers) + " members")
		}
		text, _ := name.(string)
		if _, twice := members[text]; twice {
			return nil, unsuitable(path + " has a member twice")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, malformed(path + " is not an object")
		}
		members[text] = value
	}
	return members, nil
}

// depth is the greatest number of arrays and objects that are open at once. Of a text that is not JSON it says nothing;
// such a text is refused right after.
func depth(body []byte) int {
	open, deepest := 0, 0
	quoted := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}

// member is the raw value of a member, nil if it is absent or null.
func (o object) member(name string) json.RawMessage {
	raw := o[name]
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// text is a member that is a JSON string, "" if it is absent or null.
func (o object) text(name string) (string, error) {
	raw := o.member(name)
	if raw == nil {
		return "", nil
	}
	if raw[0] != '"' {
		return "", errKind
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", errKind
	}
	return text, nil
}

// number is a member that is a whole number, or a text with its decimal digits, as some relays write it. It tells
// whether the member is there.
func (o object) number(name string, limit uint64) (value uint64, ok bool, err error) {
	raw := o.member(name)
	if raw == nil {
		return 0, false, nil
	}
	digits := string(raw)
	if raw[0] == '"' {
		if digits, err = o.text(name); err != nil {
			return 0, true, err
		}
	}
	value, err = strconv.ParseUint(digits, 10, 64)
	if err != nil || value > limit {
		return 0, true, errKind
	}
	return value, true, nil
}

// decodeBase64 reads both alphabets of RFC 4648, with and without padding: the stack writes the standard one, padded,
// and its own reader takes all four.
func decodeBase64(text string) ([]byte, error) {
	padded, raw := base64.StdEncoding, base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		padded, raw = base64.URLEncoding, base64.RawURLEncoding
	}
	if strings.HasSuffix(text, "=") {
		return padded.DecodeString(text)
	}
	return raw.DecodeString(text)
}
