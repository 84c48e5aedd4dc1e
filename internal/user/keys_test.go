package user

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var errProvider = errors.New("the provider is away")

// A publisher is the provider of a keyring under test.
type publisher struct {
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	err     error
	takes   time.Duration // until an answer
	fetches atomic.Int64
}

func (p *publisher) fetch(context.Context) ([]jose.JSONWebKey, error) {
	p.fetches.Add(1)
	p.mu.Lock()
	keys, err, takes := p.keys, p.err, p.takes
	p.mu.Unlock()
	if takes > 0 {
		<-time.After(takes)
	}
	return keys, err
}

func (p *publisher) publish(err error, keys ...jose.JSONWebKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.err = keys, err
}

func publicKey(t *testing.T, id string, curve elliptic.Curve) jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key.Public(), KeyID: id}
}

// An elapse lets time go by and whatever is due happen.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestKeyringInAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{takes: time.Second}
		p.publish(nil, publicKey(t, "a", elliptic.P256()))
		ring := newKeyring(10*time.Minute, time.Hour, p.fetch)
		storm := func(from, to int) (unknown, storms int) {
			var group sync.WaitGroup
			errs := make([]error, to-from)
			for n := range errs {
				group.Go(func() { _, errs[n] = ring.find(t.Context(), fmt.Sprint("made up ", from+n), "ES256") })
			}
			group.Wait()
			for _, err := range errs {
				switch {
				case errors.Is(err, errKey):
					unknown++
				case errors.Is(err, errStorm):
					storms++
				default:
					t.Errorf("an unknown key: %v", err)
				}
			}
			return unknown, storms
		}
		if unknown, storms := storm(0, 1000); unknown != 1000 || storms != 0 || p.fetches.Load() > 2 {
			t.Errorf("at once: %d unknown, %d storms, %d fetches; want all to share two fetches", unknown, storms, p.fetches.Load())
		}
		before := p.fetches.Load()
		for n := range 100 {
			storm(1000+n, 1001+n)
		}
		if more := p.fetches.Load() - before; more > fetchBurst {
			t.Errorf("one after the other: %d more fetches, want at most %d", more, fetchBurst)
		}
		if _, err := ring.find(t.Context(), "a", "ES256"); err != nil {
			t.Errorf("a known key in a storm: %v", err)
		}
		p.publish(nil, publicKey(t, "b", elliptic.P256()))
		if _, err := ring.find(t.Context(), "b", "ES256"); !errors.Is(err, errStorm) {
			t.Errorf("a new key in a storm: %v; it must not be called wrong", err)
		}
		elapse(fetchPause)
		if found, err := ring.find(t.Context(), "b", "ES256"); err != nil || len(found) != 1 {
			t.Errorf("a new key after the storm: %v, %v", found, err)
		}
	})
}

func TestKeyringAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		old, young := publicKey(t, "old", elliptic.P256()), publicKey(t, "young", elliptic.P256())
		p.publish(nil, old)
		ring := newKeyring(10*time.Minute, time.Hour, p.fetch)
		print := thumbprintOf(t, old)
		known := func(id string) error { _, err := ring.find(t.Context(), id, "ES256"); return err }

		if ring.holds(print) {
			t.Error("a key is held before any fetch")
		}
		if err := known("old"); err != nil || !ring.holds(print) {
			t.Fatal(err)
		}
		p.publish(nil, young)
		elapse(9 * time.Minute)
		if err := known("old"); err != nil || p.fetches.Load() != 1 {
			t.Errorf("keys are fetched too often: %v, %d", err, p.fetches.Load())
		}
		elapse(2 * time.Minute)
		_ = ring.holds(print) // has them fetched beside
		synctest.Wait()
		if ring.holds(print) || !errors.Is(known("old"), errKey) || known("young") != nil {
			t.Error("a withdrawn key is still held")
		}

		p.publish(errProvider)
		print = thumbprintOf(t, young)
		elapse(30 * time.Minute)
		if err := known("young"); err != nil || !ring.holds(print) {
			t.Errorf("while the provider is away: %v", err)
		}
		if err := known("made up"); !errors.Is(err, errProvider) {
			t.Errorf("an unknown key while the provider is away: %v; it must not be called wrong", err)
		}
		elapse(31 * time.Minute)
		if err := known("young"); !errors.Is(err, errProvider) || ring.holds(print) {
			t.Errorf("while the provider is away for too long: %v", err)
		}
		p.publish(nil, young)
		if err := known("young"); err != nil {
			t.Errorf("after the provider is back: %v", err)
		}
		synctest.Wait()
	})
}

func TestKeyringHonoursTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{takes: time.Minute}
		ring := newKeyring(10*time.Minute, time.Hour, p.fetch)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ring.find(ctx, "a", "ES256"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the caller's deadline", err)
		}
		elapse(time.Minute)
	})
}

func TestKeySet(t *testing.T) {
	p256, p384 := publicKey(t, "a", elliptic.P256()), publicKey(t, "b", elliptic.P384())
	strong, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	weak := &rsa.PublicKey{N: new(big.Int).Rsh(strong.N, 1024), E: strong.E}
	encryption, symmetric, named := p256, jose.JSONWebKey{Key: []byte("0123456789abcdef"), KeyID: "s"}, publicKey(t, "n", elliptic.P256())
	encryption.Use, named.Algorithm = "enc", "RS256"
	set := newKeySet([]jose.JSONWebKey{p256, p384, encryption, symmetric, named, {Key: weak, KeyID: "w"}})
	f := func(id, algorithm string, want int) {
		t.Helper()
		if found := set.find(id, algorithm); len(found) != want {
			t.Errorf("find(%q, %s): %d keys, want %d", id, algorithm, len(found), want)
		}
	}
	f("a", "ES256", 1)
	f("", "ES256", 1)
	f("b", "ES384", 1)
	f("b", "ES256", 0)
	f("a", "RS256", 0)
	f("a", "EdDSA", 0)
	f("n", "ES256", 0)
	f("n", "RS256", 0)
	f("s", "ES256", 0)
	f("w", "RS256", 0)

	many := make([]jose.JSONWebKey, 2*maxKeys)
	for n := range many {
		many[n] = publicKey(t, fmt.Sprint(n), elliptic.P256())
	}
	if set := newKeySet(many); len(set.keys) != maxKeys {
		t.Errorf("%d keys are kept, want %d", len(set.keys), maxKeys)
	}
}
