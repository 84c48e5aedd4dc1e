package packet

import (
	"bytes"
	"strings"
	"testing"
)

// TestLongTexts are cut at the boundary of a character, and all lengths around them stay right.
func TestLongTexts(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := appendString(nil, text); !bytes.Equal(got, raw(want)) {
			t.Errorf("%d bytes became %d, want %d", len(text), len(got)-2, len(want))
		}
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	f(x(65535), x(65535))
	f(x(65536), x(65535))
	f(x(200000), x(65535))
	f(x(65533)+"é", x(65533)+"é")
	f(x(65534)+"é", x(65534))
	f(x(65534)+"€", x(65534))
	f(x(65533)+"€", x(65533))
	f(x(65532)+"€", x(65532)+"€")
	f(x(65534)+"😀", x(65534))
	f(x(65533)+"😀", x(65533))
	f(x(65532)+"😀", x(65532))
	f(x(65531)+"😀", x(65531)+"😀")
	f(x(65535)+"😀", x(65535))

	long := x(65534) + "😀"
	if got := (&Disconnect{Reason: UnspecifiedError, ReasonString: long}).Append(nil, V5); !bytes.Equal(got,
		raw(0xE0, 0x85, 0x80, 0x04, 0x80, 0x81, 0x80, 0x04, 0x1F, x(65534))) {
		t.Errorf("a long reason string makes % x…", got[:12])
	}
	p := Publish{Topic: long, CorrelationData: make([]byte, 70000), UserProperties: UserProperties(nil).Append(long, long)}
	b := p.Append(nil, V5)
	var got Publish
	h, n, err := ParseHeader(b)
	if err != nil || n+h.Length != len(b) {
		t.Fatalf("header %v of %d bytes, %v; packet of %d bytes", h, n, err, len(b))
	}
	if err := got.Decode(h.Flags, b[n:], V5); err != nil {
		t.Fatal(err)
	}
	if got.Topic != x(65534) || len(got.CorrelationData) != 65535 || pairs(got.UserProperties)[0] != (pair{x(65534), x(65534)}) {
		t.Errorf("topic of %d bytes, correlation data of %d, user properties of %d", len(got.Topic), len(got.CorrelationData), len(got.UserProperties))
	}
}

// TestTooLongPacket is not written at all, since half of it would break the connection.
func TestTooLongPacket(t *testing.T) {
	p := Publish{Topic: "t", Payload: make([]byte, maxLength-3)}
	before := []byte("before")
	if got := p.Append(before, V5); !bytes.Equal(got, before) {
		t.Errorf("appended %d bytes", len(got)-len(before))
	}
}

func TestVarint(t *testing.T) {
	for _, value := range []int{0, 1, 127, 128, 16383, 16384, 2097151, 2097152, maxLength} {
		b := appendVarint(nil, value)
		if got, n := varint(append(b, 0xFF)); int(got) != value || n != len(b) {
			t.Errorf("%d became % x, and that %d of %d bytes", value, b, got, n)
		}
		if got := insertVarint([]byte("abc"), 1, value); !bytes.Equal(got, raw([]byte("a"), b, []byte("bc"))) {
			t.Errorf("inserting %d: % x", value, got)
		}
	}
}
