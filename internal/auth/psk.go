package auth

import (
	"strings"
	"unicode/utf8"
)

// MaxIdentity is the size limit in bytes of the identity of a pre-shared key.
const MaxIdentity = 512

// FromIdentity makes a request of the identity of a pre-shared key, device@application, and of the proof that came with the
// key, "" as long as nothing is proven. The identity is split at its first "@"; nothing is decoded. Everything else is
// outcome.Unauthenticated.
func FromIdentity(identity string, proof Proof) (Request, error) {
	device, application, scoped := strings.Cut(identity, "@")
	if !scoped || device == "" || application == "" || len(identity) > MaxIdentity || !utf8.ValidString(identity) {
		return Request{}, refused()
	}
	return Request{Application: application, Device: device, Credential: proof}, nil
}
