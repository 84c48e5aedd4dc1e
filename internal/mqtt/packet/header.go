package packet

// maxLength is the longest remaining length (section 2.1.4): 256 MiB less one byte.
const maxLength = 1<<28 - 1

// ParseHeader reads the fixed header that b begins with, and tells how long it is: 2 to 5 bytes. With n = 0 and no error
// b is too short to tell. Flags that must have a fixed value are checked here, those of PUBLISH by [Publish.Decode]. A ping
// is its fixed header, so that this is all there is to check of it.
//
// Neither version nor direction are known here: AUTH, which only version 5 has, is let through, and so is what only a
// server sends.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) == 0 {
		return Header{}, 0, nil
	}
	h = Header{Type: Type(b[0] >> 4), Flags: b[0] & 0x0F}
	if h.Type == 0 {
		return Header{}, 0, &Error{MalformedPacket, "there is no packet type 0"}
	}
	if h.Type != PUBLISH && h.Flags != h.Type.flags() {
		return Header{}, 0, &Error{MalformedPacket, "the reserved flags of the fixed header are not what the type demands"}
	}
	length, n := varint(b[1:])
	switch {
	case n < 0:
		return Header{}, 0, &Error{MalformedPacket, "the remaining length is not well-formed"}
	case n == 0:
		return Header{}, 0, nil
	case length > 0 && (h.Type == PINGREQ || h.Type == PINGRESP):
		return Header{}, 0, &Error{MalformedPacket, "a ping has a body"}
	}
	h.Length = int(length)
	return h, 1 + n, nil
}

// flags are the flags of a type other than PUBLISH, which are the same in every packet (section 2.1.3).
func (t Type) flags() byte {
	switch t {
	case PUBREL, SUBSCRIBE, UNSUBSCRIBE:
		return 0x02
	default:
		return 0
	}
}

// varint reads the variable byte integer that b begins with (section 1.5.5), and tells how long it is. n is 0 if b ends
// within it, and negative if it takes more than four bytes or more than its value needs.
//
// Version 3.1.1 has the same encoding for the remaining length, "a single byte for values up to 127" (its section 2.2.3).
func varint(b []byte) (value uint32, n int) {
	for n < len(b) {
		digit := b[n]
		value |= uint32(digit&0x7F) << (7 * n)
		n++
		switch {
		case digit == 0 && n > 1:
			return 0, -1
		case digit < 0x80:
			return value, n
		case n == 4:
			return 0, -1
		}
	}
	return 0, 0
}

// String is the name that the specification uses.
func (t Type) String() string {
	switch t {
	case CONNECT:
		return "CONNECT"
	case CONNACK:
		return "CONNACK"
	case PUBLISH:
		return "PUBLISH"
	case PUBACK:
		return "PUBACK"
	case PUBREC:
		return "PUBREC"
	case PUBREL:
		return "PUBREL"
	case PUBCOMP:
		return "PUBCOMP"
	case SUBSCRIBE:
		return "SUBSCRIBE"
	case SUBACK:
		return "SUBACK"
	case UNSUBSCRIBE:
		return "UNSUBSCRIBE"
	case UNSUBACK:
		return "UNSUBACK"
	case PINGREQ:
		return "PINGREQ"
	case PINGRESP:
		return "PINGRESP"
	case DISCONNECT:
		return "DISCONNECT"
	case AUTH:
		return "AUTH"
	default:
		return "reserved"
	}
}
