package psk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Key is what a client has to prove.
type Key struct {
	Secret []byte    // empty: there is none, and no proof succeeds
	Until  time.Time // when it ends, and the session with it; zero is never
	Proof  string    // what says later which key it was; not a secret of its own
	// Missing says why there is no key, for Failure.Missing.
	Missing string
}

// String keeps the secret out of logs.
func (Key) String() string { return "pre-shared key" }

// GoString keeps the secret out of logs.
func (Key) GoString() string { return "pre-shared key" }

// A Lookup finds the pre-shared key of an identity. A client that names an identity without a key finds out at the end of the
// handshake, as with a wrong key. An error means that nobody can say, and ends the handshake at once.
type Lookup func(ctx context.Context, identity []byte) (Key, error)

// unknownBytes is the length of the random key that stands for the one that an identity does not have.
const unknownBytes = 32

// ToProve is the secret that the handshake goes on with: a random one if there is none, so that a client without a key fails
// where one with a wrong key does.
func (k Key) ToProve() []byte {
	if len(k.Secret) > 0 {
		return k.Secret
	}
	random := make([]byte, unknownBytes)
	_, _ = rand.Read(random) // never fails
	return random
}

// A Failure is a handshake that did not succeed. It is an error.
type Failure struct {
	Remote   netip.AddrPort
	Identity []byte // that the client named; empty if it named none
	Missing  string // why that has no key; "" if it has one
	Err      error  // wraps ErrUndecided if nobody could say whether it has one
}

// Error is the reason, without who it was.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap is Err.
func (f *Failure) Unwrap() error { return f.Err }

// ErrOtherKey is in the error of a handshake whose client has shown that it has another key than its identity.
var ErrOtherKey = errors.New("the client has another pre-shared key")

// ErrUndecided is in the error of a handshake that ended because a Lookup had an error.
var ErrUndecided = errors.New("looking up a pre-shared key")

// Undecided is the error of a handshake whose Lookup had an error.
func Undecided(err error) error { return fmt.Errorf("%w: %w", ErrUndecided, err) }
