package user

import (
	"crypto/rand"
	"crypto/sha3"
	"encoding/hex"
	"hash/crc32"
	"strings"
)

// An access token is "drg_", six characters, "_", thirty characters, and a checksum: the CRC-32 (IEEE) of all before it
// in base 62. The checksum tells a token from other text, in a scanner for leaked secrets too. The thirty characters
// are the secret, of some 178 bits, so that its hash needs no salt and no work factor.
const (
	secretKind   = "drg_"
	prefixLength = len(secretKind) + 6    // of what names a token
	bodyLength   = prefixLength + 1 + 30  // of what the checksum is about
	maxSecret    = bodyLength + 6         // 2³² has six digits
	alphabet     = digits + upper + lower // of base 62, in the order of its digits
	digits       = "0123456789"
	upper        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower        = "abcdefghijklmnopqrstuvwxyz"
	fairBytes    = 256 / len(alphabet) * len(alphabet) // random bytes below it are fair
)

// newSecret draws an access token.
func newSecret() string {
	body := secretKind + randomText(prefixLength-len(secretKind)) + "_" + randomText(bodyLength-prefixLength-1)
	return body + checksum(body)
}

func randomText(length int) string {
	text := make([]byte, 0, length)
	var random [64]byte
	for {
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			if int(b) >= fairBytes {
				continue
			}
			if text = append(text, alphabet[int(b)%len(alphabet)]); len(text) == length {
				return string(text)
			}
		}
	}
}

// checksum is the CRC-32 of a text in base 62, without leading zeros.
func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var text [6]byte
	i := len(text)
	for {
		i--
		text[i] = alphabet[sum%uint32(len(alphabet))]
		if sum /= uint32(len(alphabet)); sum == 0 {
			return string(text[i:])
		}
	}
}

// splitSecret gives the prefix of an access token. It tells whether the text is one; that the token exists it does not
// tell.
func splitSecret(secret string) (prefix string, ok bool) {
	if len(secret) <= bodyLength || len(secret) > maxSecret || !strings.HasPrefix(secret, secretKind) || secret[prefixLength] != '_' {
		return "", false
	}
	body := secret[:bodyLength]
	if !isAlphanumeric(body[len(secretKind):prefixLength]) || !isAlphanumeric(body[prefixLength+1:]) {
		return "", false
	}
	if secret[bodyLength:] != checksum(body) {
		return "", false
	}
	return secret[:prefixLength], true
}

func isAlphanumeric(text string) bool {
	for i := range len(text) {
		if strings.IndexByte(alphabet, text[i]) < 0 {
			return false
		}
	}
	return true
}

// isPrefix tells whether a text could be the prefix of an access token.
func isPrefix(text string) bool {
	return len(text) == prefixLength && strings.HasPrefix(text, secretKind) && isAlphanumeric(text[len(secretKind):])
}

// hashSecret is what a store keeps of an access token.
func hashSecret(secret string) string {
	sum := sha3.Sum512([]byte(secret))
	return hex.EncodeToString(sum[:])
}
