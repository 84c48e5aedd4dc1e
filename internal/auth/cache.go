package auth

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// cacheShards splits the cache so that cores rarely wait for each other.
const cacheShards = 64

// Bounds of seeking a decision.
const (
	maxTries    = 5                      // lookups for one decision, where the registry keeps changing meanwhile
	firstWait   = 10 * time.Millisecond  // before the next lookup of somebody who had not heard of a change
	longestWait = 200 * time.Millisecond // likewise
	stalePause  = 5 * time.Second        // between lookups for an admission that is used beyond its time
)

// unheardTTL is how long a decision is used without asking again while changes in the registry are not heard of.
const unheardTTL = time.Second

// A Cache remembers decisions. An admission is used for CacheConfig.TTL, a refusal for NegativeTTL; a change in the
// registry takes back at once what rests on it, revokes the sessions, and voids lookups that are under way. While
// nobody can be asked, an admission serves until HardTTL.
//
// Equal requests at the same time are one lookup. It goes on when those who asked give up, within LookupTimeout.
// Pre-shared keys are not remembered.
type Cache struct {
	config  CacheConfig
	next    Authenticator
	sealer  *sealer
	shards  [cacheShards]cacheShard
	limit   int // entries of a shard
	watches *watches
	shared  *applications
	closed  *closedApplications
	lookups chan struct{}
	shares  *shares     // of lookups
	hears   func() bool // whether changes in the registry are heard of right now
	metrics *cacheMetrics
}

type cacheShard struct {
	mu      sync.Mutex
	entries *simplelru.LRU[digest, *entry]
	hits    int64
	seeking singleflight.Group // by digest
}

// A decision is an answer of an Authenticator: a session or a device, or the error.
type decision struct {
	session *Session
	device  *registry.Device
	err     error
}

// refusal tells whether somebody decided against the request.
func (d decision) refusal() bool {
	o := outcome.Of(d.err)
	return o == outcome.Unauthenticated || o == outcome.Forbidden
}

// An entry is a remembered decision. It is void once its watch is revoked.
type entry struct {
	decision
	watch *watch
	fresh time.Time // until when it is used without asking
	brief time.Time // the same while changes are not heard of
	hard  time.Time // until when it is used if nobody can be asked
}

// A question is what a lookup is about.
type question struct {
	ask   func(context.Context) decision
	share string      // application whose share of lookups this takes from; "" for what was admitted before
	names []watchName // to watch while it is sought
	rests func(decision) []watchName
	holds func(decision) // hears of a decision that no change has overtaken; may be nil
}

var _ Authenticator = (*Cache)(nil)

// NewCache puts a cache before the next layer.
func NewCache(c CacheConfig, next Authenticator) *Cache {
	cache := &Cache{config: c, next: next, sealer: newSealer(), watches: newWatches(), shared: newApplications(),
		limit: max(1, c.Entries/cacheShards), lookups: make(chan struct{}, c.Lookups), shares: newShares(c.LookupsShare),
		hears: func() bool { return true }}
	cache.closed = newClosedApplications(cache.watches)
	for i := range cache.shards {
		cache.shards[i].entries = newLRU[digest, *entry](cache.limit)
	}
	cache.metrics = newCacheMetrics(cache.hits, cache.len)
	return cache
}

// HearsWhile says how to tell whether changes in the registry are heard of right now. While they are not, a decision is used for
// a second only. Without it, decisions last for their time to live. It is for before the first request.
func (c *Cache) HearsWhile(hears func() bool) { c.hears = hears }

// Authenticate answers from memory or asks the next layer.
func (c *Cache) Authenticate(ctx context.Context, r Request) (*Session, error) {
	application := c.closed.of(r)
	if err := application.refusal(c.hears()); err != nil {
		return nil, err
	}
	key := c.key(r)
	old, fresh := c.recall(key)
	if fresh {
		return old.session, old.err
	}
	share := r.Application
	if r.Renewal {
		share = ""
	}
	d := c.seek(ctx, key, old, question{
		share: share,
		ask: func(ctx context.Context) decision {
			session, err := c.next.Authenticate(ctx, r)
			return decision{session: session, err: err}
		},
		names: presentedNames(r),
		holds: func(d decision) { application.note(d, c.config.NegativeTTL) },
		rests: func(d decision) []watchName { return sessionNames(d.session) },
	})
	return d.session, d.err
}

// AuthorizeAs answers from memory or asks the next layer.
func (c *Cache) AuthorizeAs(ctx context.Context, s *Session, device string) (*registry.Device, error) {
	if device == s.Device.Metadata.Name {
		return s.Device, nil
	}
	key := c.sealer.seal('a', s.Application.Metadata.Name, s.Application.Metadata.UID, s.Device.Metadata.Name, s.Device.Metadata.UID, device)
	old, fresh := c.recall(key)
	if fresh {
		return old.device, old.err
	}
	own := sessionNames(&Session{Application: s.Application, Device: s.Device})
	d := c.seek(ctx, key, old, question{
		ask: func(ctx context.Context) decision {
			target, err := c.next.AuthorizeAs(ctx, s, device)
			return decision{device: target, err: err}
		},
		names: append(own[:len(own):len(own)], watchName{presentedDevice, "", device}),
		rests: func(d decision) []watchName {
			return append(own[:len(own):len(own)], watchName{registeredDevice, s.Application.Metadata.Name, d.device.Metadata.Name})
		},
	})
	return d.device, d.err
}

// PreSharedKey always asks: keys are not kept in memory.
func (c *Cache) PreSharedKey(ctx context.Context, application, device string) (Key, error) {
	return c.next.PreSharedKey(ctx, application, device)
}

// Invalidate takes back every decision that rests on what changed.
func (c *Cache) Invalidate(change registry.Change) {
	c.metrics.count(c.metrics.revoked, c.watches.change(change))
}

// InvalidateAll takes back every decision, for when changes may have been missed.
func (c *Cache) InvalidateAll() {
	c.metrics.count(c.metrics.revoked, c.watches.all())
}

// key is what a request is remembered under. The sender's address and whether it was admitted before
// are no part of it: they do not bear on the decision.
func (c *Cache) key(r Request) digest {
	switch credential := r.Credential.(type) {
	case Password:
		return c.sealer.seal('p', r.Application, r.Device, r.As, string(credential))
	case UserPassword:
		return c.sealer.seal('u', r.Application, r.Device, r.As, credential.Username, credential.Password)
	case CertificateChain:
		fields := []string{r.Application, r.Device, r.As}
		for _, certificate := range credential {
			fields = append(fields, string(certificate))
		}
		return c.sealer.seal('c', fields...)
	case Proof:
		return c.sealer.seal('k', r.Application, r.Device, r.As, string(credential))
	case Vouched:
		return c.sealer.seal('v', r.Application, r.Device, r.As)
	default:
		return c.sealer.seal('-', r.Application, r.Device, r.As)
	}
}

func (c *Cache) shard(key digest) *cacheShard { return &c.shards[key[0]%cacheShards] }

// recall finds what is remembered: fresh, to be used as it is, or an admission that may serve if nobody can be asked.
func (c *Cache) recall(key digest) (e *entry, fresh bool) {
	shard := c.shard(key)
	now := time.Now()
	shard.mu.Lock()
	defer shard.mu.Unlock()
	e, ok := shard.entries.Get(key)
	if !ok {
		return nil, false
	}
	if e.watch.isRevoked() || !now.Before(e.hard) {
		shard.entries.Remove(key)
		return nil, false
	}
	if now.Before(e.fresh) && (c.hears() || now.Before(e.brief)) {
		shard.hits++
		return e, true
	}
	return e, false
}

// keep remembers a decision, and takes back an admission that it contradicts: the push of that change was missed.
func (c *Cache) keep(key digest, d decision, w *watch) {
	e := &entry{decision: d, watch: w, brief: time.Now().Add(unheardTTL)}
	e.fresh, e.hard = c.times(key, d)
	shard := c.shard(key)
	shard.mu.Lock()
	old, replaced := shard.entries.Peek(key)
	if !replaced && shard.entries.Len() == c.limit {
		_, old, _ = shard.entries.RemoveOldest()
		c.metrics.count(c.metrics.evicted, 1)
	}
	shard.entries.Add(key, e)
	shard.mu.Unlock()
	switch {
	case old == nil:
	case replaced && old.err == nil && !sameDocuments(old.decision, d):
		old.watch.revoke()
		c.metrics.count(c.metrics.revoked, 1)
	default:
		c.retire(old)
	}
}

// retire takes the watch of a displaced entry out of the index, unless a session may still be using it.
func (c *Cache) retire(e *entry) {
	if e.session == nil {
		c.watches.drop(e.watch)
	}
}

// times are until when a decision is fresh, and until when it is used at all. The times to live of admissions differ
// by up to a tenth, so that those made together do not end together.
func (c *Cache) times(key digest, d decision) (fresh, hard time.Time) {
	now := time.Now()
	if d.err != nil {
		fresh = now.Add(c.config.NegativeTTL)
		return fresh, fresh
	}
	fresh = now.Add(c.config.TTL - c.config.TTL*time.Duration(key[1])/(256*10))
	hard = now.Add(c.config.HardTTL)
	if d.session == nil || d.session.until.IsZero() {
		return fresh, hard
	}
	return earlier(fresh, d.session.until), earlier(hard, d.session.until)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (c *Cache) hits() (sum int64) {
	for i := range c.shards {
		c.shards[i].mu.Lock()
		sum += c.shards[i].hits
		c.shards[i].mu.Unlock()
	}
	return sum
}

func (c *Cache) len() (sum int64) {
	for i := range c.shards {
		c.shards[i].mu.Lock()
		sum += int64(c.shards[i].entries.Len())
		c.shards[i].mu.Unlock()
	}
	return sum
}

// presentedNames are what is known of a request before anybody is asked.
func presentedNames(r Request) []watchName {
	var names []watchName
	for _, application := range presentedApplications(r) {
		names = append(names, watchName{presentedApplication, "", application})
	}
	names = append(names, watchName{presentedDevice, "", r.Device})
	if r.As != "" && r.As != r.Device {
		names = append(names, watchName{presentedDevice, "", r.As})
	}
	return names
}

// sessionNames are the documents that an admission rests on.
func sessionNames(s *Session) []watchName {
	application := s.Application.Metadata.Name
	names := []watchName{
		{registeredApplication, application, ""},
		{registeredDevice, application, s.Device.Metadata.Name},
	}
	if s.As != nil {
		names = append(names, watchName{registeredDevice, application, s.As.Metadata.Name})
	}
	return names
}

// sameDocuments tells whether two decisions rest on the same versions of the same documents.
func sameDocuments(a, b decision) bool {
	if a.err != nil || b.err != nil {
		return false
	}
	if a.session == nil || b.session == nil {
		return a.session == b.session && sameDocument(a.device, b.device)
	}
	return sameVersion(&a.session.Application.Metadata, &b.session.Application.Metadata) &&
		sameDocument(a.session.Device, b.session.Device) && sameDocument(a.session.As, b.session.As)
}

func sameDocument(a, b *registry.Device) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameVersion(&a.Metadata, &b.Metadata)
}

func sameVersion(a, b *registry.Metadata) bool {
	return a.UID == b.UID && a.Name == b.Name && a.ResourceVersion == b.ResourceVersion && a.Generation == b.Generation && a.Revision == b.Revision
}
