package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// raw puts bytes together: an int is one byte, uint16 and uint32 are two and four, a string has its length in front, and
// a slice is itself.
func raw(parts ...any) []byte {
	b := []byte{}
	for _, part := range parts {
		switch part := part.(type) {
		case int:
			b = append(b, byte(part))
		case uint16:
			b = binary.BigEndian.AppendUint16(b, part)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, part)
		case string:
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(part))), part...)
		case []byte:
			b = append(b, part...)
		default:
			panic(fmt.Sprintf("raw: %T", part))
		}
	}
	return b
}

// props are properties with their length, which takes one byte here.
func props(parts ...any) []byte {
	b := raw(parts...)
	if len(b) > 127 {
		panic("props: too long")
	}
	return append([]byte{byte(len(b))}, b...)
}

// user is a user property.
func user(name, value string) []byte { return raw(0x26, name, value) }

// decode decodes a body of any type, as a connection would.
func decode(t Type, flags byte, body []byte, v Version) (any, error) {
	switch t {
	case CONNECT:
		p := new(Connect)
		return p, p.Decode(body)
	case PUBLISH:
		p := new(Publish)
		return p, p.Decode(flags, body, v)
	case PUBACK, PUBREC, PUBREL, PUBCOMP:
		p := new(Ack)
		if err := p.Decode(body, v); err != nil {
			return p, err
		}
		return p, p.Check(t)
	case SUBSCRIBE:
		p := new(Subscribe)
		return p, p.Decode(body, v)
	case UNSUBSCRIBE:
		p := new(Unsubscribe)
		return p, p.Decode(body, v)
	case DISCONNECT:
		p := new(Disconnect)
		return p, p.Decode(body, v)
	case AUTH:
		p := new(Auth)
		return p, p.Decode(body)
	default:
		return nil, &Error{ProtocolError, "a client does not send it"}
	}
}

// reasonOf is the reason of an error, and Success without one.
func reasonOf(t testing.TB, err error) Reason {
	t.Helper()
	var broken *Error
	switch {
	case err == nil:
		return Success
	case !errors.As(err, &broken):
		t.Fatalf("%v is not an *Error", err)
	case err.Error() == "" || !broken.Reason.Refuses():
		t.Fatalf("an error says too little: %+v", broken)
	}
	return broken.Reason
}

// checker gives a function that decodes and compares the reason: Success for what is well-formed.
func checker(t *testing.T, kind Type) func(what string, flags byte, body []byte, v Version, want Reason) {
	return func(what string, flags byte, body []byte, v Version, want Reason) {
		t.Helper()
		if _, err := decode(kind, flags, body, v); reasonOf(t, err) != want {
			t.Errorf("%s, version %d: %v, want %v", what, v, err, want)
		}
	}
}

type pair struct{ Name, Value string }

func pairs(u UserProperties) []pair {
	var list []pair
	for name, value := range u.All() {
		list = append(list, pair{name, value})
	}
	return list
}
