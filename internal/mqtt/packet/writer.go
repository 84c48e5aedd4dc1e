package packet

import (
	"encoding/binary"
	"unicode/utf8"
)

// finish makes a packet of its first byte, which lies at start, the part of its body that follows, and the last part,
// which is not there yet. A packet that is longer than the specification allows is taken back: half of it would break the
// connection.
func finish(b []byte, start int, last []byte) []byte {
	length := len(b) - start - 1 + len(last)
	if length > maxLength {
		return b[:start]
	}
	return append(insertVarint(b, start+1, length), last...)
}

// closeProperties puts their length in front of the properties that begin at start.
func closeProperties(b []byte, start int) []byte {
	return insertVarint(b, start, len(b)-start)
}

// insertVarint moves what lies behind a place, and puts a variable byte integer there (section 1.5.5).
func insertVarint(b []byte, at, value int) []byte {
	end := len(b)
	b = appendVarint(b, value)
	n := len(b) - end
	var digits [5]byte
	copy(digits[:], b[end:])
	copy(b[at+n:], b[at:end])
	copy(b[at:], digits[:n])
	return b
}

func appendVarint(b []byte, value int) []byte {
	for ; value > 0x7F; value >>= 7 {
		b = append(b, byte(value)|0x80)
	}
	return append(b, byte(value))
}

// appendString writes a string (section 1.5.4). What does not fit in 65,535 bytes is cut off at the boundary of a character.
func appendString(b []byte, s string) []byte {
	if len(s) > 0xFFFF {
		end := 0xFFFF
		for end > 0xFFFF-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// appendBinary writes binary data (section 1.5.6). What does not fit in 65,535 bytes is cut off.
func appendBinary(b, data []byte) []byte {
	data = data[:min(len(data), 0xFFFF)]
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

func (id property) appendByte(b []byte, value byte) []byte { return append(b, byte(id), value) }

func (id property) appendUint16(b []byte, value uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, byte(id)), value)
}

func (id property) appendUint32(b []byte, value uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(id)), value)
}

func (id property) appendString(b []byte, value string) []byte {
	return appendString(append(b, byte(id)), value)
}

// appendReason writes a reason string, which is left out if it is empty.
func appendReason(b []byte, reason string) []byte {
	if reason == "" {
		return b
	}
	return reasonString.appendString(b, reason)
}
