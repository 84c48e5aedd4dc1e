package cesql

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Type is one of the types of CESQL.
type Type int

// The types. Any is what depends on the event, or a parameter that takes every type.
const (
	Any Type = iota
	Boolean
	Integer
	String
)

// A value is what a node yields. An error before it is only remembered where it changes what comes after: missing.
type value struct {
	kind    Type
	b       bool
	i       int32
	s       string
	missing bool // the attribute itself, unchanged, which the event does not have
}

func boolean(b bool) value  { return value{kind: Boolean, b: b} }
func integer(i int32) value { return value{kind: Integer, i: i} }
func text(s string) value   { return value{kind: String, s: s} }

var missing = value{kind: Boolean, missing: true}

// same compares values of one type.
func same(a, b value) bool { return a.kind == b.kind && a.b == b.b && a.i == b.i && a.s == b.s }

// cast converts a value. What cannot be converted becomes the type's default value. A value that has the type already
// stays as it is, missing or not.
func (v value) cast(to Type) value {
	if to == Any || v.kind == to {
		return v
	}
	switch to {
	case String:
		return text(v.text())
	case Integer:
		if v.kind == String {
			i, _ := parseInt(v.s)
			return integer(i)
		}
		if v.b {
			return integer(1)
		}
		return integer(0)
	}
	if v.kind == String {
		b, _ := parseBool(v.s)
		return boolean(b)
	}
	return boolean(v.i != 0)
}

func (v value) text() string {
	switch v.kind {
	case Boolean:
		return strconv.FormatBool(v.b)
	case Integer:
		return strconv.Itoa(int(v.i))
	}
	return v.s
}

// parseBool reads a boolean, upper and lower case alike.
func parseBool(s string) (b, ok bool) {
	switch lower(s) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

// parseInt reads what Java's Integer.parseInt reads: a sign and decimal digits of any script of the Basic Multilingual
// Plane, within 32 bits.
func parseInt(s string) (i int32, ok bool) {
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	sum := int64(0)
	for _, r := range s {
		d, ok := digit(r)
		if !ok {
			return 0, false
		}
		if sum = sum*10 + d; sum > 1<<31 {
			return 0, false
		}
	}
	if negative {
		return int32(-sum), true
	}
	if sum == 1<<31 {
		return 0, false
	}
	return int32(sum), true
}

// digit is the value of a decimal digit. Unicode's digits come in runs from 0 to 9, each beginning a range of its table
// or following another run in one.
func digit(r rune) (d int64, ok bool) {
	if r < utf8.RuneSelf {
		return int64(r - '0'), r >= '0' && r <= '9'
	}
	for _, x := range unicode.Nd.R16 {
		if r >= rune(x.Lo) && r <= rune(x.Hi) {
			return int64(r-rune(x.Lo)) % 10, true
		}
	}
	return 0, false
}
