package user

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"
)

// verified remembers tokens whose signature was checked, so that one costs a hash and not a verification, until they
// expire or the key that signed them is withdrawn. Tokens are kept as digests under a secret of the process. Only
// tokens that were good get in, so that nobody else can fill it; when it is full, expired ones go, else any.
type verified struct {
	limit  int
	secret [sha256.Size]byte
	hits   atomic.Int64

	mu      sync.Mutex
	entries map[[sha256.Size]byte]entry
}

// An entry is a token that was good.
type entry struct {
	identity *Identity
	keys     *keyring
	print    thumbprint
	until    time.Time
}

func newVerified(limit int) *verified {
	v := &verified{limit: limit, entries: map[[sha256.Size]byte]entry{}}
	_, _ = rand.Read(v.secret[:]) // never fails
	return v
}

func (v *verified) digest(token string) [sha256.Size]byte {
	h := sha256.New()
	_, _ = h.Write(v.secret[:])
	_, _ = h.Write([]byte(token))
	return [sha256.Size]byte(h.Sum(nil))
}

func (v *verified) get(token string) (*Identity, bool) {
	key := v.digest(token)
	v.mu.Lock()
	e, found := v.entries[key]
	v.mu.Unlock()
	if !found {
		return nil, false
	}
	if !time.Now().Before(e.until) || !e.keys.holds(e.print) {
		v.mu.Lock()
		delete(v.entries, key)
		v.mu.Unlock()
		return nil, false
	}
	v.hits.Add(1)
	return e.identity, true
}

func (v *verified) put(token string, e entry) {
	key := v.digest(token)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.entries) >= v.limit {
		v.makeRoom(time.Now())
	}
	v.entries[key] = e
}

// makeRoom looks at a few entries, which a map gives in random order, and lets one go: one that has expired, else any.
func (v *verified) makeRoom(now time.Time) {
	const looks = 16
	seen := 0
	for key, e := range v.entries {
		if seen++; seen == looks || seen == len(v.entries) || !now.Before(e.until) {
			delete(v.entries, key)
			return
		}
	}
}

func (v *verified) len() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return int64(len(v.entries))
}
