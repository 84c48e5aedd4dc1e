package auth

import (
	"strings"
	"unicode/utf8"
)

// MaxIdentity is the size limit in bytes of the identity of a pre-shared key.
const MaxIdentity = 512

// FromIdentity makes a request of the identity of a pre-shared key that a handshake has proven, device@application. It is
// split at its first "@"; nothing is decoded. Everything else is outcome.Unauthenticated.
func FromIdentity(identity string) (Request, error) {
	device, application, scoped := strings.Cut(identity, "@")
	if !scoped || device == "" || application == "" || len(identity) > MaxIdentity || !utf8.ValidString(identity) {
		return Request{}, refused()
	}
	return Request{Application: application, Device: device, Credential: ProvenKey{}}, nil
}
