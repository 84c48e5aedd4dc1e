package tlspsk

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
)

// Bounds of reading a ClientHello.
const (
	// maxHello is how many bytes are read to look for a pre-shared key. The largest ClientHello that is usual, with a key share
	// that withstands quantum computers and a ticket that holds a chain of certificates, is a quarter of that. The
	// client of a larger one is left to crypto/tls.
	maxHello = 16 << 10

	firstRead = 1 << 10 // bytes; most ClientHellos fit
)

// Extensions (RFC 8446 section 4.2).
const (
	extensionPreSharedKey      = 41
	extensionSupportedVersions = 43
)

// suites12 are the cipher suites with a pre-shared key of TLS 1.2 that clients may choose from.
var suites12 = []uint16{
	0xCCAC, // ECDHE_PSK with CHACHA20_POLY1305_SHA256
	0x00A8, // PSK with AES_128_GCM_SHA256
	0x00A9, // PSK with AES_256_GCM_SHA384
	0xCCAB, // PSK with CHACHA20_POLY1305_SHA256
	0xC0A4, // PSK with AES_128_CCM
	0xC0A5, // PSK with AES_256_CCM
	0xC0A8, // PSK with AES_128_CCM_8
	0xC0A9, // PSK with AES_256_CCM_8
}

// A hello is what a ClientHello says about pre-shared keys.
type hello struct {
	tls12    bool   // the client takes TLS 1.2
	tls13    bool   // the client takes TLS 1.3
	suite12  bool   // it offers one of suites12
	identity []byte // of the first external key that it offers for TLS 1.3
	external bool   // it offers one
}

// offers tells whether the client is one of OpenSSL's: it offers a pre-shared key for a version that it takes.
func (h *hello) offers() bool { return h.tls13 && h.external || h.offersOnly12() }

// offersOnly12 tells whether the client offers a pre-shared key for TLS 1.2, and none for TLS 1.3, which it may take, too: many
// libraries have external keys for the older version only.
func (h *hello) offersOnly12() bool { return h.tls12 && h.suite12 && !(h.tls13 && h.external) }

var errHello = errors.New("not a ClientHello")

// readHello reads a ClientHello. raw is all that was read, which may be more, whether it is a ClientHello or not. The error is
// that of the reader, or errHello for what is none that can be looked at.
func readHello(r io.Reader) (raw []byte, h hello, err error) {
	message := handshakeMessage{kind: clientHello}
	raw = make([]byte, 0, firstRead)
	for {
		if len(raw) == cap(raw) {
			raw = slices.Grow(raw, min(len(raw), maxHello-len(raw)))
		}
		n, err := r.Read(raw[len(raw):min(cap(raw), maxHello)])
		read := raw[len(raw) : len(raw)+n]
		raw = raw[:len(raw)+n]
		whole, broken := message.add(read)
		switch {
		case broken != nil:
			return raw, hello{}, errHello
		case whole:
			h, err := parseHello(message.body())
			return raw, h, err
		case err != nil:
			return raw, hello{}, err
		case len(raw) == maxHello:
			return raw, hello{}, errHello
		}
	}
}

// parseHello reads the body of a ClientHello (RFC 8446 section 4.1.2).
func parseHello(message []byte) (h hello, err error) {
	body := cryptobyte.String(message)
	var version uint16
	var session, suites, compressions cryptobyte.String
	const random = 32
	if !body.ReadUint16(&version) || !body.Skip(random) || !body.ReadUint8LengthPrefixed(&session) ||
		!body.ReadUint16LengthPrefixed(&suites) || !body.ReadUint8LengthPrefixed(&compressions) {
		return hello{}, errHello
	}
	h.tls12 = version >= tls.VersionTLS12
	for !suites.Empty() {
		var suite uint16
		if !suites.ReadUint16(&suite) {
			return hello{}, errHello
		}
		h.suite12 = h.suite12 || slices.Contains(suites12, suite)
	}
	if body.Empty() {
		return h, nil
	}
	var extensions cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&extensions) || !body.Empty() {
		return hello{}, errHello
	}
	for !extensions.Empty() {
		var kind uint16
		var content cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&content) || !h.extension(kind, content) {
			return hello{}, errHello
		}
	}
	return h, nil
}

// extension reads an extension, and tells whether it makes sense.
func (h *hello) extension(kind uint16, content cryptobyte.String) bool {
	switch kind {
	case extensionSupportedVersions:
		return h.versions(content)
	case extensionPreSharedKey:
		return h.keys(content)
	default:
		return true
	}
}

// versions reads the extension that takes the place of the version of older ClientHellos.
func (h *hello) versions(content cryptobyte.String) bool {
	var versions cryptobyte.String
	if !content.ReadUint8LengthPrefixed(&versions) {
		return false
	}
	h.tls12, h.tls13 = false, false
	for !versions.Empty() {
		var version uint16
		if !versions.ReadUint16(&version) {
			return false
		}
		h.tls12 = h.tls12 || version == tls.VersionTLS12
		h.tls13 = h.tls13 || version == tls.VersionTLS13
	}
	return true
}

// keys reads the identities that the client offers for TLS 1.3: those of external keys, and tickets.
func (h *hello) keys(content cryptobyte.String) bool {
	var identities cryptobyte.String
	if !content.ReadUint16LengthPrefixed(&identities) {
		return false
	}
	for !identities.Empty() {
		var identity cryptobyte.String
		var age uint32
		if !identities.ReadUint16LengthPrefixed(&identity) || !identities.ReadUint32(&age) {
			return false
		}
		if !h.external && isExternal(identity, age) {
			h.identity, h.external = identity, true
		}
	}
	return true
}

// isExternal tells an external key from a ticket, which names a session that the client would like to go on with. A client
// that has an external key says that it is 0 milliseconds old (RFC 8446 section 4.2.11), or should: the name of a device is
// taken for one at any age. The age of a ticket is hidden behind a random number, and the ticket is encrypted, so that it
// is practically never 0 or text.
func isExternal(identity []byte, age uint32) bool {
	return age == 0 || bytes.IndexByte(identity, '@') > 0 && utf8.Valid(identity)
}
