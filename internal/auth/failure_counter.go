package auth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// failureShards splits the counter so that cores rarely wait for each other.
const failureShards = 16

// A failureCounter counts failures of what was presented: an application, a device and the sender's address. It does not know
// whether any of them exists. Counts run dry at a steady rate, SteadyConfig.Failures a minute, and never exceed that.
type failureCounter struct {
	config SteadyConfig
	seed   maphash.Seed
	shards [failureShards]failureShard
	used   atomic.Bool // whether anybody ever failed: until then nothing needs to be looked up
}

type failureShard struct {
	mu      sync.Mutex
	buckets *simplelru.LRU[uint64, bucket]
}

// A bucket holds the failures at one moment.
type bucket struct {
	level float64
	at    time.Time
}

func newFailureCounter(c SteadyConfig) *failureCounter {
	g := &failureCounter{config: c, seed: maphash.MakeSeed()}
	for i := range g.shards {
		g.shards[i].buckets = newLRU[uint64, bucket](c.Guarded / failureShards)
	}
	return g
}

// exhausted tells whether a sender has failed so often that its guesses are not looked at any more. That needs an
// address: were it not known who failed, anybody could keep a device out.
func (g *failureCounter) exhausted(r Request) bool {
	if !g.used.Load() {
		return false
	}
	network, known := networkOf(r.Remote)
	if !known {
		return false
	}
	key := g.key(r, network)
	shard := &g.shards[key%failureShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	b, ok := shard.buckets.Get(key)
	return ok && g.drained(b, time.Now()).level+1 > float64(g.config.Failures)
}

// fail counts a failure and tells after how long it is to be answered at the earliest.
func (g *failureCounter) fail(r Request) time.Duration {
	g.used.Store(true)
	network, _ := networkOf(r.Remote)
	key := g.key(r, network)
	shard := &g.shards[key%failureShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	b, _ := shard.buckets.Get(key)
	b = g.drained(b, time.Now())
	b.level = min(b.level+1, float64(g.config.Failures))
	shard.buckets.Add(key, b)
	return g.delay(int(b.level))
}

// delay doubles with each failure beyond the free ones.
func (g *failureCounter) delay(failures int) time.Duration {
	d := g.config.Quantum
	for range failures - g.config.Free {
		if d *= 2; d >= g.config.MaxDelay {
			return g.config.MaxDelay
		}
	}
	return d
}

func (g *failureCounter) drained(b bucket, now time.Time) bucket {
	if !b.at.IsZero() {
		b.level = max(0, b.level-now.Sub(b.at).Minutes()*float64(g.config.Failures))
	}
	b.at = now
	return b
}

func (g *failureCounter) key(r Request, network string) uint64 {
	var h maphash.Hash
	h.SetSeed(g.seed)
	for _, field := range [...]string{r.Application, r.Device, network} {
		_, _ = h.WriteString(field)
		_ = h.WriteByte(0xff) // in no UTF-8 text
	}
	return h.Sum64()
}

// networkOf is what stands for a sender's address: the address itself for IPv4, its /64 for IPv6, of which one sender
// has all. A loopback address is that of a proxy beside us: the sender is not known.
func networkOf(remote string) (network string, known bool) {
	address, err := netip.ParseAddr(remote)
	if err != nil {
		return remote, remote != ""
	}
	address = address.Unmap().WithZone("")
	if address.IsLoopback() {
		return "", false
	}
	if address.Is4() {
		return address.String(), true
	}
	prefix, err := address.Prefix(64)
	if err != nil {
		return remote, true
	}
	return prefix.String(), true
}
