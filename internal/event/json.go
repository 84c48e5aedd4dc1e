package event

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of JSON data. Deeper data is rejected, because readers downstream give up at this depth.
const maxDepth = 128

// manyMembers is the number of members from which an object is searched for duplicates with a map.
const manyMembers = 16

var errJSON = errors.New("not valid JSON")

// AppendJSON appends a JSON text (RFC 8259) to dst without insignificant white space. It is as strict as the strictest
// reader downstream, so that no event poisons a consumer: text that is not UTF-8, lone surrogates, numbers beyond a
// double, and nesting beyond maxDepth are errors. Members keep their order and numbers their digits; of members with
// the same name the last value stays, at the place of the first.
func AppendJSON(dst, src []byte) ([]byte, error) {
	if !utf8.Valid(src) {
		return nil, errJSON
	}
	c := compactor{src: src, dst: dst}
	c.space()
	if !c.value(0) {
		return nil, errJSON
	}
	c.space()
	if c.pos != len(src) {
		return nil, errJSON
	}
	return c.dst, nil
}

// AppendJSONText appends a JSON string to dst. The text is UTF-8.
func AppendJSONText(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for {
		n := plainText(text)
		dst = append(dst, text[:n]...)
		if n == len(text) {
			return append(dst, '"')
		}
		if c := text[n]; c < ' ' {
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, '\\', c)
		}
		text = text[n+1:]
	}
}

// A compactor reads src from pos and appends to dst. Its methods tell whether what they read was valid.
type compactor struct {
	src, dst []byte
	pos      int
}

func (c *compactor) space() {
	for c.pos < len(c.src) {
		switch c.src[c.pos] {
		case ' ', '\t', '\r', '\n':
			c.pos++
		default:
			return
		}
	}
}

// peek is the next byte, or 0 at the end; 0 is valid nowhere in JSON.
func (c *compactor) peek() byte {
	if c.pos < len(c.src) {
		return c.src[c.pos]
	}
	return 0
}

func (c *compactor) value(depth int) bool {
	switch next := c.peek(); {
	case next == '{':
		return depth < maxDepth && c.object(depth+1)
	case next == '[':
		return depth < maxDepth && c.array(depth+1)
	case next == '"':
		return c.text()
	case next == 't':
		return c.literal("true")
	case next == 'f':
		return c.literal("false")
	case next == 'n':
		return c.literal("null")
	default:
		return c.number()
	}
}

func (c *compactor) literal(word string) bool {
	if !bytes.HasPrefix(c.src[c.pos:], []byte(word)) {
		return false
	}
	c.pos += len(word)
	c.dst = append(c.dst, word...)
	return true
}

// take consumes and copies one byte if it is the expected one.
func (c *compactor) take(expected byte) bool {
	if c.peek() != expected {
		return false
	}
	c.pos++
	c.dst = append(c.dst, expected)
	return true
}

func (c *compactor) array(depth int) bool {
	c.take('[')
	c.space()
	if c.take(']') {
		return true
	}
	for {
		c.space()
		if !c.value(depth) {
			return false
		}
		c.space()
		if c.take(']') {
			return true
		}
		if !c.take(',') {
			return false
		}
	}
}

// A member lies in dst: its key, quotes included, from start to colon, its value from there to end.
type member struct{ start, colon, end int }

func (c *compactor) object(depth int) bool {
	start := len(c.dst)
	c.take('{')
	c.space()
	if c.take('}') {
		return true
	}
	var few [manyMembers]member
	members := few[:0]
	for {
		c.space()
		m := member{start: len(c.dst)}
		if c.peek() != '"' || !c.text() {
			return false
		}
		m.colon = len(c.dst)
		c.space()
		if !c.take(':') {
			return false
		}
		c.space()
		if !c.value(depth) {
			return false
		}
		m.end = len(c.dst)
		members = append(members, m)
		c.space()
		if c.take('}') {
			c.collapse(start, members)
			return true
		}
		if !c.take(',') {
			return false
		}
	}
}

// collapse rewrites the object that begins at start in dst if two of its members have the same name.
func (c *compactor) collapse(start int, members []member) {
	if !c.duplicates(members) {
		return
	}
	places := make(map[string]int, len(members))
	var kept []member
	for _, m := range members {
		name := c.name(m)
		if place, ok := places[name]; ok {
			kept[place] = m
			continue
		}
		places[name] = len(kept)
		kept = append(kept, m)
	}
	object := []byte{'{'}
	for i, m := range kept {
		if i > 0 {
			object = append(object, ',')
		}
		object = append(object, c.dst[m.start:m.end]...)
	}
	c.dst = append(append(c.dst[:start], object...), '}')
}

func (c *compactor) duplicates(members []member) bool {
	if len(members) > manyMembers {
		seen := make(map[string]struct{}, len(members))
		for _, m := range members {
			seen[c.name(m)] = struct{}{}
		}
		return len(seen) < len(members)
	}
	for i, m := range members {
		for _, other := range members[:i] {
			if c.sameName(m, other) {
				return true
			}
		}
	}
	return false
}

func (c *compactor) sameName(a, b member) bool {
	rawA, rawB := c.dst[a.start:a.colon], c.dst[b.start:b.colon]
	if bytes.IndexByte(rawA, '\\') < 0 && bytes.IndexByte(rawB, '\\') < 0 {
		return bytes.Equal(rawA, rawB)
	}
	return c.name(a) == c.name(b)
}

// name is a member's name with its escapes resolved.
func (c *compactor) name(m member) string {
	raw := c.dst[m.start:m.colon]
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var name string
	_ = json.Unmarshal(raw, &name) // text has already checked it
	return name
}

func (c *compactor) text() bool {
	start := c.pos
	c.pos++
	for {
		c.pos += plainText(c.src[c.pos:])
		switch c.peek() {
		case '"':
			c.pos++
			c.dst = append(c.dst, c.src[start:c.pos]...)
			return true
		case '\\':
			if !c.escape() {
				return false
			}
		default: // a control character, or the end
			return false
		}
	}
}

// plainText counts the bytes before the first quote, backslash or control character. It looks at eight at a time: a byte of found has its
// highest bit set where the text has one of those, and perhaps further up, but not further down.
func plainText(text []byte) (n int) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(text)-n >= 8; n += 8 {
		eight := binary.LittleEndian.Uint64(text[n:])
		quotes, backslashes := eight^'"'*ones, eight^'\\'*ones
		found := ((eight-' '*ones)&^eight | (quotes-ones)&^quotes | (backslashes-ones)&^backslashes) & high
		if found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	for n < len(text) && text[n] >= ' ' && text[n] != '"' && text[n] != '\\' {
		n++
	}
	return n
}

// escape consumes one escape sequence, or two that make one character.
func (c *compactor) escape() bool {
	rest := c.src[c.pos:]
	if len(rest) < 2 {
		return false
	}
	if rest[1] != 'u' {
		c.pos += 2
		return bytes.IndexByte([]byte(`"\/bfnrt`), rest[1]) >= 0
	}
	unit, ok := codeUnit(rest)
	if !ok || isLowSurrogate(unit) {
		return false
	}
	c.pos += 6
	if unit < 0xD800 || unit > 0xDBFF {
		return true
	}
	low, ok := codeUnit(c.src[c.pos:])
	c.pos += 6
	return ok && isLowSurrogate(low)
}

func isLowSurrogate(unit uint64) bool { return unit >= 0xDC00 && unit <= 0xDFFF }

// codeUnit reads \uXXXX at the start of b.
func codeUnit(b []byte) (uint64, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' || slices.ContainsFunc(b[2:6], notHex) {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return unit, err == nil
}

func notHex(b byte) bool {
	return (b < '0' || b > '9') && (b < 'a' || b > 'f') && (b < 'A' || b > 'F')
}

func (c *compactor) number() bool {
	start := c.pos
	if c.peek() == '-' {
		c.pos++
	}
	switch {
	case c.peek() == '0':
		c.pos++
	case !c.digits():
		return false
	}
	if c.peek() == '.' {
		c.pos++
		if !c.digits() {
			return false
		}
	}
	exponent := c.peek() == 'e' || c.peek() == 'E'
	if exponent {
		c.pos++
		if sign := c.peek(); sign == '+' || sign == '-' {
			c.pos++
		}
		if !c.digits() {
			return false
		}
	}
	digits := c.src[start:c.pos]
	if (exponent || len(digits) > 300) && !fitsDouble(digits) {
		return false
	}
	c.dst = append(c.dst, digits...)
	return true
}

// digits consumes one or more digits.
func (c *compactor) digits() bool {
	start := c.pos
	for c.pos < len(c.src) && c.src[c.pos] >= '0' && c.src[c.pos] <= '9' {
		c.pos++
	}
	return c.pos > start
}

func fitsDouble(digits []byte) bool {
	_, err := strconv.ParseFloat(string(digits), 64)
	return err == nil
}
