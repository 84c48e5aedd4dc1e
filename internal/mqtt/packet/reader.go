package packet

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// A reader is a cursor over the body of a packet. The first fault stays; whatever is read after it is zero, so that
// a decoder looks for a fault only where it decides something, and at the end.
type reader struct {
	rest  []byte // what is still to be read; nil after a fault
	fault *Error
}

// fail notes a fault, unless there was one before.
func (r *reader) fail(reason Reason, what string) {
	if r.fault == nil {
		r.fault = &Error{reason, what}
	}
	r.rest = nil
}

func (r *reader) short() {
	r.fail(MalformedPacket, "a field reaches beyond the end of the packet or of its properties")
}

// end is the verdict on the whole body: the fault, or that something follows what should be the end.
func (r *reader) end() error {
	if len(r.rest) > 0 {
		r.fail(MalformedPacket, "the packet is longer than its fields")
	}
	if r.fault != nil {
		return r.fault
	}
	return nil
}

func (r *reader) byte() byte {
	if len(r.rest) < 1 {
		r.short()
		return 0
	}
	value := r.rest[0]
	r.rest = r.rest[1:]
	return value
}

func (r *reader) uint16() uint16 {
	if len(r.rest) < 2 {
		r.short()
		return 0
	}
	value := binary.BigEndian.Uint16(r.rest)
	r.rest = r.rest[2:]
	return value
}

func (r *reader) uint32() uint32 {
	if len(r.rest) < 4 {
		r.short()
		return 0
	}
	value := binary.BigEndian.Uint32(r.rest)
	r.rest = r.rest[4:]
	return value
}

// varint reads a variable byte integer (section 1.5.5).
func (r *reader) varint() uint32 {
	value, n := varint(r.rest)
	switch {
	case n < 0:
		r.fail(MalformedPacket, "a variable byte integer is not well-formed")
		return 0
	case n == 0:
		r.short()
		return 0
	}
	r.rest = r.rest[n:]
	return value
}

// binary reads binary data (section 1.5.6). It lies in the body, and is not nil even if it is empty.
func (r *reader) binary() []byte {
	n := int(r.uint16())
	if len(r.rest) < n {
		r.short()
		return nil
	}
	value := r.rest[:n:n]
	r.rest = r.rest[n:]
	return value
}

// text reads a UTF-8 encoded string (section 1.5.4): well-formed, without surrogates and without U+0000. It lies in the
// body, so it changes when the body does.
func (r *reader) text() string {
	s := asString(r.binary())
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		r.fail(MalformedPacket, "a string is not well-formed UTF-8 or has a null character")
		return ""
	}
	return s
}

// packetID reads a packet identifier, which is never 0 (section 2.2.1).
func (r *reader) packetID() uint16 {
	id := r.uint16()
	if id == 0 {
		r.fail(ProtocolError, "the packet identifier is 0")
	}
	return id
}

// asString shares the bytes instead of copying them.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
