package cache

import (
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/redis"
)

// A Config says where Redis is and how long what is kept.
type Config struct {
	redis.Config

	SoftTTL     time.Duration `doc:"duration after which a document in Redis is read from the store again, while the store answers"`
	HardTTL     time.Duration `doc:"duration for which Redis keeps a document, and serves it while the store does not answer"`
	NegativeTTL time.Duration `doc:"duration for which Redis keeps that a name is not found"`

	LocalTTL     time.Duration `doc:"duration for which a process keeps a decoded document"`
	LocalEntries int           `doc:"number of documents that a process keeps; 0 keeps none"`
	LocalBytes   int           `doc:"bytes of documents, as JSON, that a process keeps"`

	BackendTimeout time.Duration `doc:"duration of one read of the store; less than 10s, the life of a lease"`
}

// DefaultConfig has no URL; everything else suits a function or a gateway.
func DefaultConfig() Config {
	return Config{
		Config:         redis.DefaultConfig(),
		SoftTTL:        10 * time.Minute,
		HardTTL:        24 * time.Hour,
		NegativeTTL:    30 * time.Second,
		LocalTTL:       30 * time.Second,
		LocalEntries:   10_000,
		LocalBytes:     64 << 20,
		BackendTimeout: 2 * time.Second,
	}
}

// leaseTTL is longer than any read of the backend.
const leaseTTL = 10 * time.Second

// Validate names the first bad field.
func (c *Config) Validate() error {
	if err := c.Config.Validate(); err != nil {
		return err
	}
	switch {
	case c.SoftTTL < time.Second:
		return errors.New("softTTL: must be at least 1s")
	case c.HardTTL < c.SoftTTL:
		return errors.New("hardTTL: must be at least softTTL")
	case c.NegativeTTL < time.Second || c.NegativeTTL > c.HardTTL:
		return errors.New("negativeTTL: must lie between 1s and hardTTL")
	case c.LocalTTL < time.Millisecond || c.LocalTTL > c.SoftTTL:
		return errors.New("localTTL: must lie between 1ms and softTTL")
	case c.LocalEntries < 0:
		return errors.New("localEntries: must not be negative")
	case c.LocalBytes < 0:
		return errors.New("localBytes: must not be negative")
	case c.BackendTimeout < time.Millisecond || c.BackendTimeout >= leaseTTL:
		return errors.New("backendTimeout: must lie between 1ms and 10s")
	}
	return nil
}
