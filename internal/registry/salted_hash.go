package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
)

// Bounds of the salt of a SaltedHash, in characters.
const (
	minSalt = 8
	maxSalt = 64
)

// A SaltedHash is the SHA-256 of a salt followed by a secret. Guessing costs next to nothing, as checking does: it is only for
// secrets that were drawn at random with 128 bits or more, never for what somebody has thought up.
type SaltedHash struct {
	salt string
	sum  [sha256.Size]byte
}

// NewSaltedHash hashes a secret under a new salt.
func NewSaltedHash(secret string) SaltedHash {
	salt := rand.Text()
	return SaltedHash{salt, sumOf(salt, secret)}
}

// ParseSaltedHash reads SALT$HASH: the salt is 8 to 64 letters and digits, which are hashed as they stand, and the hash is 64
// hexadecimal digits.
func ParseSaltedHash(text string) (SaltedHash, error) {
	salt, digits, _ := strings.Cut(text, "$")
	h := SaltedHash{salt: salt}
	if len(salt) < minSalt || len(salt) > maxSalt || strings.ContainsFunc(salt, func(r rune) bool { return !isAlphanumeric(r) }) {
		return SaltedHash{}, errors.New("a salt is 8 to 64 letters and digits")
	}
	if len(digits) != hex.EncodedLen(len(h.sum)) {
		return SaltedHash{}, errors.New("a hash is 64 hexadecimal digits")
	}
	if _, err := hex.Decode(h.sum[:], []byte(digits)); err != nil {
		return SaltedHash{}, errors.New("a hash is 64 hexadecimal digits")
	}
	return h, nil
}

// Text is what ParseSaltedHash reads.
func (h SaltedHash) Text() string { return h.salt + "$" + hex.EncodeToString(h.sum[:]) }

// Is tells whether the hash is that of a secret. The time it takes does not depend on how much of it is right.
func (h SaltedHash) Is(secret string) bool {
	sum := sumOf(h.salt, secret)
	return subtle.ConstantTimeCompare(sum[:], h.sum[:]) == 1
}

// String keeps the value out of logs.
func (SaltedHash) String() string { return "salted hash" }

// GoString keeps the value out of logs.
func (h SaltedHash) GoString() string { return h.String() }

func sumOf(salt, secret string) [sha256.Size]byte { return sha256.Sum256([]byte(salt + secret)) }
