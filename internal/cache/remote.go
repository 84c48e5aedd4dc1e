package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// A remote is the documents in Redis.
type remote struct {
	client  redis.UniversalClient
	keys    keyspace
	timeout time.Duration
	soft    time.Duration
	breaker breaker
	metrics *metrics

	putting, releasing *redis.Script
}

func newRemote(config *Config, m *metrics) (*remote, error) {
	client, err := config.Client()
	if err != nil {
		return nil, err
	}
	return &remote{
		client:    client,
		keys:      newKeyspace(config.Instance),
		timeout:   config.Timeout,
		soft:      config.SoftTTL,
		breaker:   newBreaker(),
		metrics:   m,
		putting:   redis.NewScript(putScript),
		releasing: redis.NewScript(releaseScript),
	}, nil
}

// do runs one round trip unless Redis failed just now.
func (r *remote) do(ctx context.Context, run func(context.Context) error) error {
	return r.breaker.do(func() error { return r.attempt(ctx, run) })
}

// insist runs one round trip in any case.
func (r *remote) insist(ctx context.Context, run func(context.Context) error) error {
	err := r.do(ctx, run)
	if errors.Is(err, errPaused) {
		return r.attempt(ctx, run)
	}
	return err
}

func (r *remote) attempt(ctx context.Context, run func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	started := time.Now()
	err := run(limited)
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	if err != nil && ctx.Err() != nil {
		return &abandonedError{err}
	}
	r.metrics.roundTrip(started, err)
	return err
}

// A state is what Redis says of a name.
type state int

const (
	absent state = iota
	fresh
	stale // past the soft time to live, to be read from the backend again
)

// fetch reads an entry in one round trip. Its age follows from Redis's own clock.
func (r *remote) fetch(ctx context.Context, n name, key string) (found entry, s state, err error) {
	var value *redis.StringCmd
	var left *redis.DurationCmd
	err = r.do(ctx, func(ctx context.Context) error {
		_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			value, left = p.Get(ctx, key), p.PTTL(ctx, key)
			return nil
		})
		return err
	})
	if err != nil {
		return entry{}, absent, fmt.Errorf("reading from Redis: %w", err)
	}
	text, err := value.Bytes()
	if errors.Is(err, redis.Nil) {
		return entry{}, absent, nil
	}
	if err != nil {
		return entry{}, absent, fmt.Errorf("reading from Redis: %w", err)
	}
	found, ttl, err := decode(text, n.kind)
	if err != nil {
		r.metrics.failure(failedDecoding)
		return entry{}, absent, nil // of another release: whoever holds a lease writes it anew
	}
	age := ttl - left.Val()
	if found.found() && (age > r.soft || age < 0) {
		return found, stale, nil
	}
	return found, fresh, nil
}

// acquire takes the lease on an entry. The lease is "" if somebody else has it.
func (r *remote) acquire(ctx context.Context, key string) (lease string, err error) {
	lease = rand.Text()
	var taken bool
	err = r.do(ctx, func(ctx context.Context) error {
		err := r.client.SetArgs(ctx, r.keys.lease(key), lease, redis.SetArgs{Mode: "NX", TTL: leaseTTL}).Err()
		taken = err == nil
		return err
	})
	if err != nil {
		return "", fmt.Errorf("taking a lease in Redis: %w", err)
	}
	if !taken {
		return "", nil
	}
	return lease, nil
}

// put writes an entry if the lease is still there and the entry there is not newer.
func (r *remote) put(ctx context.Context, key, lease string, e entry, ttl time.Duration) error {
	value, err := e.encode(ttl)
	if err != nil {
		return fmt.Errorf("encoding for Redis: %w", err)
	}
	uid, revision := e.version()
	err = r.do(ctx, func(ctx context.Context) error {
		return r.putting.Run(ctx, r.client, []string{key, r.keys.lease(key)}, lease, value, ttl.Milliseconds(), uid, revision).Err()
	})
	if err != nil {
		return fmt.Errorf("writing to Redis: %w", err)
	}
	return nil
}

// release gives a lease back unused.
func (r *remote) release(ctx context.Context, key, lease string) {
	// If it fails, the lease expires.
	_ = r.do(ctx, func(ctx context.Context) error {
		return r.releasing.Run(ctx, r.client, []string{r.keys.lease(key)}, lease).Err()
	})
}

// putScript compares and writes. Revisions are comparable within one uid only; a document that was deleted and made
// again starts at 1, and there the lease alone decides. Keys: entry, lease. Arguments: the lease's number, the value,
// its time to live in milliseconds, uid and revision.
const putScript = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 'lost' end
redis.call('DEL', KEYS[2])
local current = redis.call('GET', KEYS[1])
if current then
	local uid, revision = string.match(current, '^` + format + ` %d+ (%S+) (%d+)\n')
	if uid == ARGV[4] and tonumber(revision) > tonumber(ARGV[5]) then return 'newer' end
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 'stored'`

// releaseScript deletes a lease that is still one's own.
const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`
