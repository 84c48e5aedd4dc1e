package dtls

// Record layer (RFC 6347 section 4.1, RFC 9146 section 4), as far as the way of a datagram depends on it.
const (
	typeHandshake    = 22
	typeConnectionID = 25

	headerBytes    = 13 // of a record without connection ID
	handshakeBytes = 12 // of the header of a handshake message

	clientHello = 1
	serverHello = 2

	connectionIDBytes = 8
)

// A connectionID is what we have a client put into its records, so that they find their session from whatever address
// they come.
type connectionID [connectionIDBytes]byte

// A record is what can be seen of the first record in a datagram.
type record struct {
	kind      byte
	epoch     uint16
	id        connectionID // for typeConnectionID
	handshake byte         // type of the handshake message, if the record is one in the clear; else 0
	first     bool         // the handshake message is the first of its side, from its beginning
}

// parse reads the first record's header. Whatever is no record of DTLS 1.x is not ok.
func parse(b []byte) (r record, ok bool) {
	if len(b) < headerBytes || b[1] != 0xfe {
		return r, false
	}
	r.kind = b[0]
	r.epoch = uint16(b[3])<<8 | uint16(b[4])
	if r.kind == typeConnectionID {
		const id = 11 // offset of the connection ID
		if len(b) < headerBytes+connectionIDBytes {
			return r, false
		}
		copy(r.id[:], b[id:])
		return r, true
	}
	if r.kind < 20 || r.kind > 23 {
		return r, false
	}
	if r.kind == typeHandshake && r.epoch == 0 && len(b) >= headerBytes+handshakeBytes {
		message := b[headerBytes:]
		sequence := uint16(message[4])<<8 | uint16(message[5])
		offset := uint32(message[6])<<16 | uint32(message[7])<<8 | uint32(message[8])
		r.handshake = message[0]
		r.first = sequence == 0 && offset == 0
	}
	return r, true
}

// A clientRandom tells one handshake of a client from another (RFC 5246 section 7.4.1.2).
type clientRandom [32]byte

// randomOf is the random of a datagram that begins a handshake.
func randomOf(b []byte) (random clientRandom) {
	const offset = headerBytes + handshakeBytes + 2 // behind the version
	if len(b) >= offset+len(random) {
		copy(random[:], b[offset:])
	}
	return random
}

// begins tells whether the record begins a handshake.
func (r record) begins() bool { return r.handshake == clientHello && r.first }
