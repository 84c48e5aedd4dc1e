package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// Bounds of what one log-in can make us compute.
const (
	maxBcryptCost     = 14      // about 1.5 s
	maxHashesPerLogin = 16      // stored hashes of one device that a password is tried against
	maxHashedPassword = 1 << 10 // bytes of a password that is tried against hashes
)

// passwords compares presented passwords with stored ones. It computes few hashes at once, lets few wait, each application
// in its turn, and remembers for a while which password belonged to which hash, and which did not.
type passwords struct {
	config  ServiceConfig
	sealer  *sealer
	compare func(stored registry.Password, presented string) (bool, error) // computes one hash
	metrics *serviceMetrics

	slots *turns // held while a hash is computed

	hashing singleflight.Group // by digest

	mu    sync.Mutex
	right *simplelru.LRU[digest, time.Time] // verified credentials, with the end of their time to live
	wrong *simplelru.LRU[digest, time.Time]
}

func newPasswords(c ServiceConfig, m *serviceMetrics) *passwords {
	slots := c.Hashes
	if slots == 0 {
		slots = max(1, runtime.GOMAXPROCS(0)-1) // one core is for all who need no hash
	}
	return &passwords{
		config:  c,
		sealer:  newSealer(),
		compare: compareHash,
		metrics: m,
		slots:   newTurns(slots, slots, c.HashQueue),
		right:   newLRU[digest, time.Time](c.Memory),
		wrong:   newLRU[digest, time.Time](c.Memory),
	}
}

// full tells whether a log-in to an application would be turned away now if it needed a hash.
func (p *passwords) full(application string) bool { return p.slots.full(application) }

// find tells which of the stored passwords of an application's device the presented one is, -1 for none. Its errors are
// outcome.Overloaded and those of the context. With a context of OnlyVerified, only credentials that were verified before
// are found.
func (p *passwords) find(ctx context.Context, application string, stored []registry.Password, presented string) (index int, err error) {
	index = -1
	var open []int
	for i, s := range stored {
		switch right, known := p.recall(p.digest(s, presented)); {
		case known && right:
			index = i
		case known || isOnlyRemembered(ctx):
		case s.Kind == registry.PlainPassword:
			if p.comparePlain(s, presented) {
				index = i
			}
		case s.Kind == registry.SaltedSHA256:
			if len(presented) <= maxHashedPassword && p.compareSalted(s, presented) {
				index = i
			}
		default:
			open = append(open, i)
		}
	}
	if index >= 0 || len(presented) > maxHashedPassword {
		return index, nil
	}
	open = open[:min(len(open), maxHashesPerLogin)]
	for n, i := range open {
		vain := 0
		if n == len(open)-1 {
			vain = len(open)
		}
		switch match, err := p.hash(ctx, application, stored[i], presented, vain); {
		case err != nil:
			return -1, err
		case match:
			return i, nil
		}
	}
	return -1, nil
}

func (p *passwords) digest(stored registry.Password, presented string) digest {
	return p.sealer.seal('p', string(stored.Kind), stored.Value, presented)
}

// comparePlain compares in a time that depends on neither content nor, for all but the hashing, on length.
func (p *passwords) comparePlain(stored registry.Password, presented string) bool {
	want, got := p.sealer.seal('c', stored.Value), p.sealer.seal('c', presented)
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return false
	}
	p.remember(p.digest(stored, presented), true)
	return true
}

// compareSalted compares with the hash of a generated secret. That takes less than a microsecond, and waits for nobody.
func (p *passwords) compareSalted(stored registry.Password, presented string) bool {
	h, err := registry.ParseSaltedHash(stored.Value)
	if err != nil {
		p.metrics.unusable()
		return false
	}
	if !h.Is(presented) {
		return false
	}
	p.remember(p.digest(stored, presented), true)
	return true
}

// recall tells what is known of a credential.
func (p *passwords) recall(key digest) (right, known bool) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if until, ok := p.right.Get(key); ok && now.Before(until) {
		return true, true
	}
	until, ok := p.wrong.Get(key)
	return false, ok && now.Before(until)
}

func (p *passwords) remember(key digest, right bool) {
	until := time.Now().Add(p.config.MemoryTTL)
	p.mu.Lock()
	defer p.mu.Unlock()
	if right {
		p.right.Add(key, until)
		return
	}
	p.wrong.Add(key, until)
}

// hash compares with one stored hash. Equal comparisons at the same time are done once; who gives up leaves the others
// their result. If the password does not match this one either, so many hashes were computed in vain; 0: others are left to try.
func (p *passwords) hash(ctx context.Context, application string, stored registry.Password, presented string, vain int) (bool, error) {
	key := p.digest(stored, presented)
	answers := p.hashing.DoChan(string(key[:]), func() (any, error) {
		match, err := p.await(application, stored, presented, vain)
		if err == nil {
			p.remember(key, match)
		}
		return match, err
	})
	select {
	case answer := <-answers:
		match, _ := answer.Val.(bool)
		return match, answer.Err
	case <-ctx.Done():
		return false, undecidedInTime(ctx.Err())
	}
}

// await waits for a slot, within the bounds of the queue and of the time, and computes. After a log-in in vain the application rests
// for as long as that took, so that whoever guesses leaves half of the time to the devices of others.
func (p *passwords) await(application string, stored registry.Password, presented string, vain int) (bool, error) {
	entered := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), p.config.HashTimeout)
	defer cancel()
	if !p.slots.take(ctx, application) {
		return false, overloaded("too many log-ins at once")
	}
	started, rest := time.Now(), time.Duration(0)
	defer func() { p.slots.give(application, rest) }()
	if wait := started.Sub(entered); wait >= time.Millisecond {
		p.metrics.waited(wait)
	}
	match, err := p.compare(stored, presented)
	took := time.Since(started)
	p.metrics.hashed(took)
	if !match {
		rest = took * time.Duration(vain)
	}
	if err != nil { // of the stored hash: nothing matches it
		p.metrics.unusable()
		return false, nil
	}
	return match, nil
}

// compareHash computes one password hash.
func compareHash(stored registry.Password, presented string) (bool, error) {
	switch stored.Kind {
	case registry.BcryptHash:
		return compareBcrypt(stored.Value, presented)
	case registry.SHA512Crypt:
		h, err := parseSHA512Crypt(stored.Value)
		if err != nil {
			return false, err
		}
		return subtle.ConstantTimeCompare([]byte(h.compute(presented)), []byte(h.sum)) == 1, nil
	default:
		return false, errHashFormat
	}
}

func compareBcrypt(hash, presented string) (bool, error) {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil {
		return false, errHashFormat
	}
	if cost > maxBcryptCost {
		return false, errHashTooSlow
	}
	err = bcrypt.CompareHashAndPassword([]byte(hash), []byte(presented))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil, err
}

func overloaded(reason string) error { return outcome.New(outcome.Overloaded, reason) }

func undecidedInTime(err error) error {
	return outcome.Wrap(outcome.Unavailable, "no decision could be made in time", err)
}

// rememberedKey marks a context of OnlyVerified.
type rememberedKey struct{}

// OnlyVerified asks the layers below to admit nothing but credentials that they have verified before.
func OnlyVerified(ctx context.Context) context.Context {
	return context.WithValue(ctx, rememberedKey{}, true)
}

func isOnlyRemembered(ctx context.Context) bool { return ctx.Value(rememberedKey{}) != nil }
