package bridge

import "fmt"

// A frame follows the fixed headers (MQTT 5.0 section 2.1) in what the broker sends, so that nobody makes room for a
// packet that is larger than was agreed.
type frame struct {
	limit int // of a packet, in bytes

	part  part
	left  int // bytes of the packet that follow
	shift int // bits of the remaining length that are known
}

// A part is where in a packet the next byte is.
type part uint8

const (
	inType part = iota
	inLength
	inBody
)

// follow looks at the next bytes. An error means that they are of a packet that is not read any further.
func (f *frame) follow(b []byte) error {
	for len(b) > 0 {
		switch f.part {
		case inType:
			f.part, f.left, f.shift, b = inLength, 0, 0, b[1:]
		case inLength:
			f.left |= int(b[0]&0x7f) << f.shift
			f.shift += 7
			switch {
			case f.left > f.limit:
				return fmt.Errorf("the broker sends a packet of more than %d bytes", f.limit)
			case b[0]&0x80 == 0:
				f.end()
			case f.shift > 21:
				return fmt.Errorf("the broker sends a packet whose length has more than 4 bytes")
			}
			b = b[1:]
		case inBody:
			n := min(len(b), f.left)
			f.left -= n
			f.end()
			b = b[n:]
		}
	}
	return nil
}

// end goes to the body, or to the next packet if nothing of this one is left.
func (f *frame) end() {
	f.part = inBody
	if f.left == 0 {
		f.part = inType
	}
}
