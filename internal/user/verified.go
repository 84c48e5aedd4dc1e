package user

import (
	"crypto/rand"
	"crypto/sha256"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// verified remembers tokens whose signature was checked, so that one costs a hash and not a verification, until they
// expire or the key that signed them is withdrawn. Tokens are kept as digests under a secret of the process. Only
// tokens that were good get in, so that nobody else can fill it; when it is full, what was not used for longest goes.
type verified struct {
	secret  [sha256.Size]byte
	hits    atomic.Int64
	entries *lru.Cache[[sha256.Size]byte, entry]
}

// An entry is a token that was good.
type entry struct {
	identity *Identity
	keys     *keyring
	print    thumbprint
	until    time.Time
}

func newVerified(limit int) *verified {
	v := &verified{}
	v.entries, _ = lru.New[[sha256.Size]byte, entry](max(limit, 1)) // the only error is that of a limit below 1
	_, _ = rand.Read(v.secret[:])                                   // never fails
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
	e, found := v.entries.Get(key)
	if !found {
		return nil, false
	}
	if !time.Now().Before(e.until) || !e.keys.holds(e.print) {
		v.entries.Remove(key)
		return nil, false
	}
	v.hits.Add(1)
	return e.identity, true
}

func (v *verified) put(token string, e entry) { v.entries.Add(v.digest(token), e) }

func (v *verified) len() int64 { return int64(v.entries.Len()) }
