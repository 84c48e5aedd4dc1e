package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// A Proof is a credential that stands for another one, which its sender has proven before: a password at its log-in, a
// pre-shared key in a handshake. It names which of the device's stored credentials that was, without telling anything of
// it, and admits as long as that one is stored and valid. A Service issues it with an admission or a key; whoever holds a
// session keeps the proof in place of the password. No device can present one: adapters make none of what they read.
type Proof string

func (Proof) credential()        {}
func (Proof) String() string     { return "proof" }
func (p Proof) GoString() string { return p.String() }

// text is a proof in JSON and in headers.
func (p Proof) text() string { return base64.RawURLEncoding.EncodeToString([]byte(p)) }

func parseProof(text string) (Proof, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", errors.New("a proof is a base64url text")
	}
	return Proof(raw), nil
}

// Bounds of getting the secret of proofs.
const (
	secretBytes   = 32
	secretTimeout = 2 * time.Second // for one attempt
	secretPause   = 2 * time.Second // after one that failed
)

// A prover makes proofs under a secret. All services that judge the same devices share it, or one would not know what
// another has issued. A plain hash of a weak password or key could be reversed by guessing; a proof cannot, without the
// secret.
type prover struct {
	source func(context.Context) ([]byte, error) // nil once secret is there

	turn   chan struct{} // held by who looks at what follows
	secret []byte
	pause  time.Time
}

// newProver makes a prover with a secret of its own, for a service that no other shares devices with.
func newProver() *prover {
	p := &prover{turn: make(chan struct{}, 1), secret: make([]byte, secretBytes)}
	_, _ = rand.Read(p.secret) // never fails
	return p
}

// share has the secret come from a source, which is asked when it is first needed.
func (p *prover) share(source func(context.Context) ([]byte, error)) {
	p.source, p.secret = source, nil
}

var errNoSecret = errors.New("the secret of proofs cannot be had")

// key is the secret.
func (p *prover) key(ctx context.Context) ([]byte, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.secret != nil {
		return p.secret, nil
	}
	if time.Now().Before(p.pause) {
		return nil, errNoSecret
	}
	ctx, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	secret, err := p.source(ctx)
	if err != nil || len(secret) < secretBytes {
		p.pause = time.Now().Add(secretPause)
		return nil, errors.Join(errNoSecret, err)
	}
	p.secret = secret
	return secret, nil
}

// prove names a stored credential of a device.
func prove(secret []byte, a *registry.Application, d *registry.Device, c registry.Credential) Proof {
	h := hmac.New(sha256.New, secret)
	write := func(fields ...string) {
		for _, field := range fields {
			var length [4]byte
			binary.BigEndian.PutUint32(length[:], uint32(len(field)))
			h.Write(length[:])
			h.Write([]byte(field))
		}
	}
	write("fairlead proof 1", a.Metadata.Name, a.Metadata.UID, d.Metadata.Name, d.Metadata.UID)
	switch {
	case c.Password != nil:
		write("pass", string(c.Password.Kind), c.Password.Value)
	case c.User != nil:
		write("user", c.User.Username, string(c.User.Password.Kind), c.User.Password.Value)
	case c.PreSharedKey != nil:
		write("psk", string(c.PreSharedKey.Key))
	default:
		return ""
	}
	return Proof(h.Sum(nil))
}

// judgeProof tells whether the credential that a proof names is stored and valid, and until when it is; zero is without
// end. A key that is stored twice is valid for as long as one of the two.
func judgeProof(secret []byte, a *registry.Application, d *registry.Device, presented Proof, now time.Time) (until time.Time, ok bool) {
	credentials, err := d.Credentials()
	if err != nil || presented == "" {
		return until, false
	}
	for _, c := range credentials {
		if !hmac.Equal([]byte(prove(secret, a, d, c)), []byte(presented)) {
			continue
		}
		switch key := c.PreSharedKey; {
		case key == nil || key.Validity == nil:
			return time.Time{}, true
		case key.Validity.Contains(now):
			ok = true
			if key.Validity.NotAfter.After(until) {
				until = key.Validity.NotAfter
			}
		}
	}
	return until, ok
}
