package user

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// Limits of a provider's keys and of asking for them.
const (
	maxKeys    = 100              // of one provider
	minRSA     = 2048             // bits of a modulus
	maxRSA     = 8192             // bits; beyond, one verification takes too long
	fetchBurst = 3                // fetches for unknown keys at once
	fetchPause = 10 * time.Second // after which one more is allowed
)

// errStorm says that tokens name too many keys that nobody knows. Whether this one is good is not known.
var errStorm = errors.New("too many tokens with unknown keys")

// A keyring holds the public keys of one provider. It fetches them when they are first needed, when they are old, and
// when a token names a key that is not among them; the last at a bounded rate, so that tokens with made-up keys make no
// storm at the provider. go-oidc's own key set fetches for each such token, and never lets go of a key that was withdrawn.
type keyring struct {
	fetch        func(context.Context) ([]jose.JSONWebKey, error)
	ttl, hardTTL time.Duration

	present atomic.Pointer[keySet]

	fetches singleflight.Group // of allKeys and unknownKey
	unknown *rate.Limiter      // of fetches for unknown keys
}

// What is fetched at most once at the same time.
const (
	allKeys    = "all keys"
	unknownKey = "unknown key" // all keys, within the limit for unknown ones
)

// A keySet is what one fetch has brought.
type keySet struct {
	keys    []jose.JSONWebKey
	prints  map[thumbprint]bool
	fetched time.Time
}

// A thumbprint stands for a key (RFC 7638).
type thumbprint [32]byte

func newKeyring(ttl, hardTTL time.Duration, fetch func(context.Context) ([]jose.JSONWebKey, error)) *keyring {
	return &keyring{fetch: fetch, ttl: ttl, hardTTL: hardTTL, unknown: rate.NewLimiter(rate.Every(fetchPause), fetchBurst)}
}

// find gives the keys that a token may be signed with: the one that it names, or, if it names none, all that fit its
// algorithm. The error is errKey, errStorm if the provider would have to be asked and has been asked too often, or that of a
// fetch when it does not answer.
func (k *keyring) find(ctx context.Context, id, algorithm string) ([]jose.JSONWebKey, error) {
	set, err := k.fresh(ctx)
	if err != nil {
		return nil, err
	}
	if found := set.find(id, algorithm); len(found) > 0 {
		return found, nil
	}
	if err := k.fetchUnknown(ctx); err != nil {
		return nil, err
	}
	if found := k.present.Load().find(id, algorithm); len(found) > 0 {
		return found, nil
	}
	return nil, errKey
}

// holds tells whether a key is still one of the provider's, as far as is known.
func (k *keyring) holds(t thumbprint) bool {
	set := k.present.Load()
	if set == nil {
		return false
	}
	age := time.Since(set.fetched)
	if age > k.ttl {
		k.start()
	}
	return age <= k.hardTTL && set.prints[t]
}

// fresh gives the keys. Those that are old are used while new ones are fetched; those that are too old are not used.
func (k *keyring) fresh(ctx context.Context) (*keySet, error) {
	set := k.present.Load()
	if set == nil || time.Since(set.fetched) > k.hardTTL {
		if err := await(ctx, k.start()); err != nil {
			return nil, err
		}
		return k.present.Load(), nil
	}
	if time.Since(set.fetched) > k.ttl {
		k.start()
	}
	return set, nil
}

// start begins a fetch unless one is under way. It outlives the request that began it, since others wait for it too; the
// provider's client bounds its time.
func (k *keyring) start() <-chan singleflight.Result {
	return k.fetches.DoChan(allKeys, func() (any, error) {
		keys, err := k.fetch(context.Background())
		if err == nil {
			k.present.Store(newKeySet(keys))
		}
		return nil, err
	})
}

// fetchUnknown fetches for a key that is not known, if the limit allows. All who ask at the same time share one fetch.
func (k *keyring) fetchUnknown(ctx context.Context) error {
	return await(ctx, k.fetches.DoChan(unknownKey, func() (any, error) {
		if !k.unknown.Allow() {
			return nil, errStorm
		}
		return nil, (<-k.start()).Err
	}))
}

// await waits for a fetch.
func await(ctx context.Context, fetched <-chan singleflight.Result) error {
	select {
	case result := <-fetched:
		return result.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newKeySet keeps what can verify a signature, and leaves out everything else: keys for encryption, symmetric keys, RSA
// keys that are too short.
func newKeySet(keys []jose.JSONWebKey) *keySet {
	set := &keySet{prints: map[thumbprint]bool{}, fetched: time.Now()}
	for _, key := range keys {
		t, ok := printOf(&key)
		if !ok || !usable(&key) || len(set.keys) == maxKeys {
			continue
		}
		set.keys, set.prints[t] = append(set.keys, key), true
	}
	return set
}

func printOf(key *jose.JSONWebKey) (t thumbprint, ok bool) {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil || len(sum) != len(t) {
		return t, false
	}
	return thumbprint(sum), true
}

func usable(key *jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		return bits >= minRSA && bits <= maxRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}

// find gives the keys of a set that fit. A key fits only the algorithms of its own kind, and if it says for which
// algorithm it is, only that one.
func (s *keySet) find(id, algorithm string) (found []jose.JSONWebKey) {
	for _, key := range s.keys {
		if (id == "" || key.KeyID == id) && (key.Algorithm == "" || key.Algorithm == algorithm) && fits(key.Key, algorithm) {
			found = append(found, key)
		}
	}
	return found
}

func fits(key any, algorithm string) bool {
	switch public := key.(type) {
	case *rsa.PublicKey:
		return algorithm[:2] == "RS" || algorithm[:2] == "PS"
	case *ecdsa.PublicKey:
		return public.Curve == curve(algorithm)
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	default:
		return false
	}
}

// curve is that of an ECDSA algorithm (RFC 7518 section 3.4), nil for every other.
func curve(algorithm string) elliptic.Curve {
	switch algorithm {
	case "ES256":
		return elliptic.P256()
	case "ES384":
		return elliptic.P384()
	case "ES512":
		return elliptic.P521()
	default:
		return nil
	}
}
