package downlink

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/redis"
)

const (
	// remembered is how many devices a process knows the address of, so that it writes only what is new.
	remembered = 10_000
	// renewals is how often an address is written again during its time to live, though it has not changed.
	renewals = 10
)

// ErrNotFound says that there is no address for a device.
var ErrNotFound = errors.New("no downlink address is known")

// A Device is whose address it is, by the UIDs of the registry: who makes a device or an application anew does not come by what was
// kept for one with the same name.
type Device struct{ Application, UID string }

// A Store keeps addresses in Redis. It is safe for concurrent use.
type Store struct {
	client  goredis.UniversalClient
	prefix  string // of keys
	sealer  cipher.AEAD
	ttl     time.Duration
	written *lru.Cache[Device, entry]
	metrics *metrics
}

// An entry is what was written last of a device, and when.
type entry struct {
	address Address
	at      time.Time
}

// New makes a store of a valid configuration that is enabled. The client stays the caller's.
func New(c Config, client goredis.UniversalClient, instance string) (*Store, error) {
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making a cipher for downlink addresses: %w", err)
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making a cipher for downlink addresses: %w", err)
	}
	written, err := lru.New[Device, entry](remembered)
	if err != nil {
		return nil, err
	}
	return &Store{
		client: client, prefix: redis.Keys(instance) + "downlink:", sealer: sealer, ttl: c.TTL, written: written, metrics: newMetrics(),
	}, nil
}

// Keep notes where downlinks for a device go. It takes at most what one round trip to Redis may take, and usually nothing: what was
// written lately is not written again.
func (s *Store) Keep(ctx context.Context, of Device, a Address) error {
	if last, ok := s.written.Get(of); ok && last.address == a && time.Since(last.at) < s.ttl/renewals {
		return nil
	}
	err := s.write(ctx, of, a)
	s.metrics.kept(err)
	if err != nil {
		return err
	}
	s.written.Add(of, entry{a, time.Now()})
	return nil
}

func (s *Store) write(ctx context.Context, of Device, a Address) error {
	if of.Application == "" || of.UID == "" {
		return errors.New("a device without UIDs has no downlink address")
	}
	sealed, err := s.seal(of, a)
	if err != nil {
		return err
	}
	if err := s.client.Set(ctx, s.key(of), sealed, s.ttl).Err(); err != nil {
		return fmt.Errorf("keeping a downlink address: %w", err)
	}
	return nil
}

// Find gives the address of a device. The error is ErrNotFound, also for what cannot be decrypted any more, or says that Redis did not
// answer.
func (s *Store) Find(ctx context.Context, of Device) (Address, error) {
	sealed, err := s.client.Get(ctx, s.key(of)).Bytes()
	switch {
	case errors.Is(err, goredis.Nil):
		return Address{}, ErrNotFound
	case err != nil:
		return Address{}, fmt.Errorf("looking for a downlink address: %w", err)
	}
	return s.open(of, sealed)
}

func (s *Store) key(of Device) string { return s.prefix + string(of.text()) }

// text stands for a device. What others choose is percent-encoded, so that no two devices have the same.
func (d Device) text() []byte {
	return []byte(url.QueryEscape(d.Application) + ":" + url.QueryEscape(d.UID))
}

// seal encrypts an address, and binds it to its device.
func (s *Store) seal(of Device, a Address) ([]byte, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("writing a downlink address: %w", err)
	}
	nonce := make([]byte, s.sealer.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return s.sealer.Seal(nonce, nonce, text, of.text()), nil
}

func (s *Store) open(of Device, sealed []byte) (a Address, err error) {
	size := s.sealer.NonceSize()
	if len(sealed) < size {
		return a, ErrNotFound
	}
	text, err := s.sealer.Open(nil, sealed[:size], sealed[size:], of.text())
	if err != nil || json.Unmarshal(text, &a) != nil || a.validate() != nil {
		return Address{}, ErrNotFound
	}
	return a, nil
}
