package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const shards = 16

// A local is the layer of decoded documents in the process. It is used only while it is live, that is, while every
// invalidation is heard of. What was not used for longest gives way when there are too many entries or bytes.
type local struct {
	ttl    time.Duration
	bytes  int // that one shard may hold; 0: nothing is kept
	seed   maphash.Seed
	live   atomic.Bool
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	epoch   uint64 // grows with each invalidation
	entries *simplelru.LRU[name, kept]
	bytes   int // of all entries
}

type kept struct {
	entry
	cost  int // bytes, with the name
	until time.Time
}

func newLocal(ttl time.Duration, entries, bytes int) *local {
	l := &local{ttl: ttl, bytes: bytes / shards, seed: maphash.MakeSeed()}
	if entries == 0 {
		l.bytes = 0
	}
	for i := range l.shards {
		s := &l.shards[i]
		// The only error is that of a size below 1.
		s.entries, _ = simplelru.NewLRU(max(1, entries/shards), func(_ name, k kept) { s.bytes -= k.cost })
	}
	return l
}

func (l *local) shard(n name) *shard {
	return &l.shards[maphash.Comparable(l.seed, n)%shards]
}

func (l *local) get(n name) (entry, bool) {
	if !l.live.Load() {
		return entry{}, false
	}
	s := l.shard(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.entries.Get(n)
	if !ok {
		return entry{}, false
	}
	if !time.Now().Before(found.until) {
		s.entries.Remove(n)
		return entry{}, false
	}
	return found.entry, true
}

// epoch is to be read before a fill begins, and given to put when it ends.
func (l *local) epoch(n name) uint64 {
	s := l.shard(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

// put keeps an entry, for at most the given time, unless something was invalidated since the epoch.
func (l *local) put(n name, e entry, epoch uint64, most time.Duration) {
	s := l.shard(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	// Who takes the layer down does so before it empties the shard, so that this sees it or is emptied.
	if s.epoch != epoch || !l.live.Load() {
		return
	}
	cost := e.size + len(n.application) + len(n.alias)
	s.entries.Remove(n)
	if cost > l.bytes {
		return
	}
	s.entries.Add(n, kept{e, cost, time.Now().Add(min(l.ttl, most))})
	for s.bytes += cost; s.bytes > l.bytes; {
		s.entries.RemoveOldest()
	}
}

// forget drops what is kept under a name, and what is being read.
func (l *local) forget(n name) {
	s := l.shard(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.entries.Remove(n)
}

// up starts with an empty layer.
func (l *local) up() {
	l.clear()
	l.live.Store(true)
}

// down stops using the layer and empties it.
func (l *local) down() {
	l.live.Store(false)
	l.clear()
}

func (l *local) clear() {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		s.epoch++
		s.entries.Purge()
		s.mu.Unlock()
	}
}
