package assertion

import (
	"encoding/base64"
	"errors"
	"strings"
)

// A Client is who is at the other end of a TLS connection, and what it has proven in the handshake: the key of a certificate, a
// pre-shared key, or nothing.
type Client struct {
	Remote   string   // its address, host:port
	Chain    [][]byte // its certificates in DER, its own first; nil for none
	Identity string   // of its pre-shared key; "" for none
	Proof    string   // names the stored key that it has proven, where it has an Identity (auth.Proof)
}

// The kinds of what a client has proven, as they are written.
const (
	kindNothing      = "none"
	kindCertificates = "cert"
	kindPreSharedKey = "psk"
)

// Bounds of a client that is written down.
const (
	maxCertificates = 8
	maxBytes        = 48 << 10 // of a header, which fits what Envoy takes of all headers
)

var (
	errClient = errors.New("not a client in the form of a gateway")
	encoding  = base64.RawURLEncoding
)

// text is the client in a header: fields between dots, of the address, the kind of what it has proven, and that.
func (c *Client) text() string {
	fields := []string{encode(c.Remote)}
	switch {
	case c.Identity != "":
		fields = append(fields, kindPreSharedKey, encode(c.Identity), encode(c.Proof))
	case len(c.Chain) > 0:
		fields = append(fields, kindCertificates)
		for _, der := range c.Chain {
			fields = append(fields, encoding.EncodeToString(der))
		}
	default:
		fields = append(fields, kindNothing)
	}
	return strings.Join(fields, separator)
}

func encode(text string) string { return encoding.EncodeToString([]byte(text)) }

// parseClient reads what text has written, in no other form.
func parseClient(text string) (c Client, err error) {
	fields := strings.Split(text, separator)
	if len(fields) < 2 || len(fields) > 2+maxCertificates || strings.ContainsAny(text, "\r\n") { // Go's base64 skips line breaks
		return c, errClient
	}
	kind := fields[1]
	contents := make([][]byte, 0, len(fields)-1)
	for i, field := range fields {
		if i == 1 {
			continue
		}
		content, err := encoding.Strict().DecodeString(field)
		if err != nil {
			return c, errClient
		}
		contents = append(contents, content)
	}
	c.Remote = string(contents[0])
	switch proven := contents[1:]; {
	case kind == kindNothing && len(proven) == 0:
	case kind == kindCertificates && len(proven) > 0:
		c.Chain = proven
	case kind == kindPreSharedKey && len(proven) == 2 && len(proven[0]) > 0:
		c.Identity, c.Proof = string(proven[0]), string(proven[1])
	default:
		return Client{}, errClient
	}
	return c, nil
}
