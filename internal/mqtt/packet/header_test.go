package packet

import (
	"bytes"
	"testing"
)

func TestParseHeader(t *testing.T) {
	f := func(b []byte, want Header, wantN int) {
		t.Helper()
		if h, n, err := ParseHeader(b); h != want || n != wantN || err != nil {
			t.Errorf("ParseHeader(% x) = %v, %d, %v; want %v, %d", b, h, n, err, want, wantN)
		}
	}
	f([]byte{}, Header{}, 0)
	f([]byte{0x10}, Header{}, 0)
	f([]byte{0x10, 0x80}, Header{}, 0)
	f([]byte{0x10, 0xFF, 0xFF, 0xFF}, Header{}, 0)
	f([]byte{0x10, 0x00}, Header{CONNECT, 0, 0}, 2)
	f([]byte{0x10, 0x7F, 0xAA}, Header{CONNECT, 0, 127}, 2)
	f([]byte{0x3D, 0x80, 0x01}, Header{PUBLISH, 0x0D, 128}, 3)
	f([]byte{0x3F, 0xFF, 0x7F}, Header{PUBLISH, 0x0F, 16383}, 3)
	f([]byte{0x82, 0x80, 0x80, 0x01}, Header{SUBSCRIBE, 2, 16384}, 4)
	f([]byte{0xA2, 0xFF, 0xFF, 0x7F}, Header{UNSUBSCRIBE, 2, 2097151}, 4)
	f([]byte{0x62, 0x80, 0x80, 0x80, 0x01}, Header{PUBREL, 2, 2097152}, 5)
	f([]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F}, Header{PUBLISH, 0, maxLength}, 5)
	f([]byte{0xC0, 0x00}, Header{PINGREQ, 0, 0}, 2)
	f([]byte{0xF0, 0x02}, Header{AUTH, 0, 2}, 2)
}

func TestParseHeaderRefuses(t *testing.T) {
	f := func(what string, b ...byte) {
		t.Helper()
		if h, n, err := ParseHeader(b); reasonOf(t, err) != MalformedPacket || n != 0 || h != (Header{}) {
			t.Errorf("%s: %v, %d, %v", what, h, n, err)
		}
	}
	f("type 0", 0x00)
	f("type 0 with flags", 0x0F, 0x00)
	f("length of five bytes", 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01)
	f("length that goes on after four bytes", 0x10, 0x80, 0x80, 0x80, 0x80)
	f("length 0 in two bytes", 0x10, 0x80, 0x00)
	f("length 127 in two bytes", 0x10, 0xFF, 0x00)
	f("length 1 in four bytes", 0x10, 0x81, 0x80, 0x80, 0x00)
	f("PINGREQ with a body", 0xC0, 0x01, 0x00)
	f("PINGRESP with a body", 0xD0, 0x80, 0x01)
	for kind := CONNECT; kind <= AUTH; kind++ {
		for flags := range byte(16) {
			if kind != PUBLISH && flags != kind.flags() {
				f(kind.String()+" with reserved flags", byte(kind)<<4|flags)
			}
		}
	}
}

func TestTypesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for kind := CONNECT; kind <= AUTH; kind++ {
		seen[kind.String()] = true
	}
	if len(seen) != 15 || seen[Type(0).String()] || PUBLISH.String() != "PUBLISH" {
		t.Errorf("names of the types: %v", seen)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte{0x10, 0x00})
	f.Add([]byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F})
	f.Add([]byte{0x82, 0x80, 0x00})
	f.Add([]byte{0x62, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		switch {
		case err != nil:
			if reasonOf(t, err) != MalformedPacket || n != 0 {
				t.Fatalf("ParseHeader(% x) = %d, %v", b, n, err)
			}
		case n == 0:
			if len(b) >= 5 {
				t.Fatalf("ParseHeader(% x) wants more", b)
			}
		default:
			again := appendVarint([]byte{byte(h.Type)<<4 | h.Flags}, h.Length)
			if !bytes.Equal(again, b[:n]) {
				t.Fatalf("ParseHeader(% x) = %v, %d, which is % x", b, h, n, again)
			}
		}
		for cut := range n {
			if _, n, err := ParseHeader(b[:cut]); n != 0 || err != nil {
				t.Fatalf("ParseHeader(% x) = %d, %v, but more makes a header", b[:cut], n, err)
			}
		}
	})
}
