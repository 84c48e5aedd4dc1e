package tlspsk

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
)

// Numbers of RFC 8446.
const (
	recordAlert     = 21
	recordHandshake = 22

	clientHello       = 1
	clientKeyExchange = 16

	recordHeader  = 5 // bytes
	messageHeader = 4
)

var errMessage = errors.New("not the handshake message that is due")

// A handshakeMessage is put together from records in the clear, in whatever pieces it comes. It is the first message in
// them, and of one kind. How large it may be is for who adds to it to bound.
type handshakeMessage struct {
	kind   byte
	header [recordHeader]byte // of the record that is being read
	have   int                // of the header
	left   int                // of the record
	bytes  []byte             // of the message, and perhaps of the next ones
}

// add takes the next bytes, and tells whether all of the message is there.
func (m *handshakeMessage) add(b []byte) (whole bool, err error) {
	for len(b) > 0 && !m.whole() {
		if m.left == 0 {
			n := copy(m.header[m.have:], b)
			m.have, b = m.have+n, b[n:]
			if err := m.begin(); err != nil {
				return false, err
			}
			continue
		}
		n := min(m.left, len(b))
		m.bytes = append(m.bytes, b[:n]...)
		m.left, b = m.left-n, b[n:]
		if m.bytes[0] != m.kind {
			return false, errMessage
		}
	}
	return m.whole(), nil
}

// begin looks at what there is of a record's header.
func (m *handshakeMessage) begin() error {
	if m.header[0] != recordHandshake || m.have > 1 && m.header[1] != 3 {
		return errMessage
	}
	if m.have < recordHeader {
		return nil
	}
	m.have, m.left = 0, int(m.header[3])<<8|int(m.header[4])
	if m.left == 0 {
		return errMessage
	}
	return nil
}

func (m *handshakeMessage) whole() bool {
	return len(m.bytes) >= messageHeader && len(m.bytes) >= m.size()
}

// size is that of the whole message. Its header is there.
func (m *handshakeMessage) size() int {
	return messageHeader + int(m.bytes[1])<<16 + int(m.bytes[2])<<8 + int(m.bytes[3])
}

// body is the content of a message that is whole.
func (m *handshakeMessage) body() []byte { return m.bytes[messageHeader:m.size()] }

// keyExchangeIdentity is the identity in a ClientKeyExchange with a pre-shared key (RFC 4279 section 2).
func keyExchangeIdentity(body cryptobyte.String) (identity []byte, ok bool) {
	var found cryptobyte.String
	ok = body.ReadUint16LengthPrefixed(&found)
	return found, ok
}

// alert is a fatal alert in the clear (RFC 8446 section 6).
func alert(description byte) []byte {
	const fatal = 2
	return []byte{recordAlert, 3, 3, 0, 2, fatal, description}
}
