package packet

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode decodes any body as any packet of any version: the upper half of the first byte is the type, the lower one
// the flags.
func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add(byte(s.kind)<<4|s.flags, byte(s.v), s.body)
		f.Add(byte(s.kind)<<4|s.flags, byte(s.v), s.body[:len(s.body)-1])
	}
	f.Fuzz(func(t *testing.T, first, version byte, body []byte) {
		v := V311 + Version(version)%2
		before := bytes.Clone(body)
		p, err := decode(Type(first>>4), first&0x0F, body, v)
		if !bytes.Equal(before, body) {
			t.Fatal("the body is changed")
		}
		switch reason := reasonOf(t, err); reason {
		case Success:
			inspect(t, p)
		case MalformedPacket, ProtocolError, UnsupportedProtocolVersion, TopicAliasInvalid:
			return
		default:
			t.Fatalf("refused with %v", reason)
		}
		switch p := p.(type) {
		case *Publish:
			comesBack(t, p, v)
		case *Subscribe:
			if n := len(p.Subscriptions); n == 0 || 4*n > len(body) {
				t.Fatalf("%d subscriptions in %d bytes", n, len(body))
			}
			for _, s := range p.Subscriptions {
				wellFormed(t, s.Filter, v)
			}
		case *Unsubscribe:
			if n := len(p.Filters); n == 0 || 3*n > len(body) {
				t.Fatalf("%d filters in %d bytes", n, len(body))
			}
			for _, filter := range p.Filters {
				wellFormed(t, filter, v)
			}
		}
	})
}

// comesBack encodes a PUBLISH and decodes that: it is the same.
func comesBack(t *testing.T, p *Publish, v Version) {
	t.Helper()
	b := p.Append(nil, v)
	h, n, err := ParseHeader(b)
	if err != nil || h.Type != PUBLISH || n+h.Length != len(b) {
		t.Fatalf("encoded as % x, whose header is %v of %d bytes, %v", b, h, n, err)
	}
	var again Publish
	if err := again.Decode(h.Flags, b[n:], v); err != nil {
		t.Fatalf("encoded as % x: %v", b, err)
	}
	if diff := cmp.Diff(pairs(p.UserProperties), pairs(again.UserProperties)); diff != "" {
		t.Fatalf("user properties (-before +after):\n%s", diff)
	}
	before := *p
	before.UserProperties, again.UserProperties = nil, nil
	if diff := cmp.Diff(before, again); diff != "" {
		t.Fatalf("packet (-before +after):\n%s", diff)
	}
}

// wellFormed compares a topic filter with the grammar of section 4.7.1, and that of section 4.8.2 in version 5.
func wellFormed(t *testing.T, filter string, v Version) {
	t.Helper()
	if rest, shared := strings.CutPrefix(filter, "$share/"); shared && v == V5 {
		name, levels, _ := strings.Cut(rest, "/")
		if name == "" || strings.ContainsAny(name, "+#") {
			t.Fatalf("accepted %q", filter)
		}
		filter = levels
	}
	grammar := regexp.MustCompile(`^(#|(\+|[^+#/]*)(/(\+|[^+#/]*))*(/#)?)$`)
	if filter == "" || !grammar.MatchString(filter) {
		t.Fatalf("accepted %q", filter)
	}
}

// inspect reads everything that a packet holds: texts are well-formed, and nothing lies where it cannot be read.
func inspect(t *testing.T, p any) {
	t.Helper()
	inspectValue(t, reflect.ValueOf(p))
}

func inspectValue(t *testing.T, v reflect.Value) {
	t.Helper()
	if users, ok := v.Interface().(UserProperties); ok {
		for _, p := range pairs(users) {
			inspectValue(t, reflect.ValueOf(p))
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			inspectValue(t, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			inspectValue(t, v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			inspectValue(t, v.Index(i))
		}
	case reflect.String:
		if s := v.String(); !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			t.Fatalf("a packet has the text %q", s)
		}
	}
}
