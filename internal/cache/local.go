package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const shards = 16

// A local is the layer of decoded documents in the process. It is used only while it is live, that is, while every
// invalidation is heard of.
//
// Each shard has two generations. New entries go into the current one; when that holds half of what the shard may
// hold, it becomes the previous one and the old previous one is dropped. A hit in the previous one moves the entry.
type local struct {
	ttl     time.Duration
	entries int // of one generation of one shard
	bytes   int // likewise
	seed    maphash.Seed
	live    atomic.Bool
	shards  [shards]shard
}

type shard struct {
	mu                sync.Mutex
	epoch             uint64 // grows with each invalidation
	current, previous map[name]kept
	bytes             int // of all that was put into the current generation
}

type kept struct {
	entry
	until time.Time
}

func newLocal(ttl time.Duration, entries, bytes int) *local {
	return &local{
		ttl:     ttl,
		entries: (entries + 2*shards - 1) / (2 * shards),
		bytes:   bytes / (2 * shards),
		seed:    maphash.MakeSeed(),
	}
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
	found, ok := s.current[n]
	if !ok {
		if found, ok = s.previous[n]; !ok {
			return entry{}, false
		}
		delete(s.previous, n)
		l.add(s, n, found)
	}
	if !time.Now().Before(found.until) {
		delete(s.current, n)
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
	l.add(s, n, kept{entry: e, until: time.Now().Add(min(l.ttl, most))})
}

func (l *local) add(s *shard, n name, k kept) {
	size := k.size + len(n.application) + len(n.alias)
	if size > l.bytes || l.entries == 0 {
		return
	}
	if len(s.current) >= l.entries || s.bytes+size > l.bytes {
		s.previous, s.current, s.bytes = s.current, nil, 0
	}
	if s.current == nil {
		s.current = make(map[name]kept)
	}
	s.current[n] = k
	s.bytes += size
}

// forget drops what is kept under a name, and what is being read.
func (l *local) forget(n name) {
	s := l.shard(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	delete(s.current, n)
	delete(s.previous, n)
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
		s.current, s.previous, s.bytes = nil, nil, 0
		s.mu.Unlock()
	}
}
