package auth

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"strconv"
	"strings"
)

// maxRounds bounds the work of one stored hash, so that a document cannot be an attack on the processor: about 30 ms.
const maxRounds = 100_000

// Limits of SHA-512-crypt, from its specification (Drepper, "Unix crypt using SHA-256 and SHA-512").
const (
	defaultRounds = 5_000
	minRounds     = 1_000
	maxSalt       = 16
)

var (
	errHashFormat  = errors.New("the stored hash does not parse")
	errHashTooSlow = errors.New("the stored hash takes too long to verify")
)

// sha512Crypt is a parsed "$6$" hash.
type sha512Crypt struct {
	rounds int
	salt   string
	sum    string // in crypt's own base64
}

// parseSHA512Crypt reads $6$[rounds=N$]salt$sum. As in the C library, rounds below the minimum count as the minimum and
// a salt is cut to its maximum.
func parseSHA512Crypt(hash string) (sha512Crypt, error) {
	h := sha512Crypt{rounds: defaultRounds}
	rest, ok := strings.CutPrefix(hash, "$6$")
	if !ok {
		return h, errHashFormat
	}
	if text, found := strings.CutPrefix(rest, "rounds="); found {
		number, after, ok := strings.Cut(text, "$")
		rounds, err := strconv.ParseUint(number, 10, 32)
		if err != nil || !ok {
			return h, errHashFormat
		}
		if rounds > maxRounds {
			return h, errHashTooSlow
		}
		h.rounds, rest = max(int(rounds), minRounds), after
	}
	h.salt, h.sum, ok = strings.Cut(rest, "$")
	if !ok || len(h.sum) != 86 {
		return h, errHashFormat
	}
	h.salt = h.salt[:min(len(h.salt), maxSalt)]
	return h, nil
}

// compute hashes a password with the parameters of h, following the numbered steps of the specification.
func (h sha512Crypt) compute(password string) string {
	key, salt := []byte(password), []byte(h.salt)

	alternate := sha512.New() // steps 4 to 8
	alternate.Write(key)
	alternate.Write(salt)
	alternate.Write(key)
	b := alternate.Sum(nil)

	digest := sha512.New() // steps 1 to 3, 9 to 12
	digest.Write(key)
	digest.Write(salt)
	digest.Write(stretch(b, len(key)))
	for n := len(key); n > 0; n >>= 1 {
		if n&1 != 0 {
			digest.Write(b)
		} else {
			digest.Write(key)
		}
	}
	a := digest.Sum(nil)

	digest.Reset() // steps 13 to 16
	for range key {
		digest.Write(key)
	}
	p := stretch(digest.Sum(nil), len(key))

	digest.Reset() // steps 17 to 20
	for range 16 + int(a[0]) {
		digest.Write(salt)
	}
	s := stretch(digest.Sum(nil), len(salt))

	for round := range h.rounds { // step 21
		digest.Reset()
		if round&1 != 0 {
			digest.Write(p)
		} else {
			digest.Write(a)
		}
		if round%3 != 0 {
			digest.Write(s)
		}
		if round%7 != 0 {
			digest.Write(p)
		}
		if round&1 != 0 {
			digest.Write(a)
		} else {
			digest.Write(p)
		}
		a = digest.Sum(a[:0])
	}
	return cryptBase64(a)
}

// stretch repeats a block up to a length.
func stretch(block []byte, length int) []byte {
	return bytes.Repeat(block, length/len(block)+1)[:length]
}

// cryptBase64 encodes a sum in the order and alphabet of step 22: three bytes that lie 21 apart make four characters.
func cryptBase64(sum []byte) string {
	const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	text := make([]byte, 0, 86)
	add := func(word uint, characters int) {
		for range characters {
			text = append(text, alphabet[word&0x3f])
			word >>= 6
		}
	}
	i, j, k := 0, 21, 42
	for range 21 {
		add(uint(sum[i])<<16|uint(sum[j])<<8|uint(sum[k]), 4)
		i, j, k = j+1, k+1, i+1
	}
	add(uint(sum[63]), 2)
	return string(text)
}
