package cache

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A Config says where Redis is and how long what is kept.
type Config struct {
	URL      string `doc:"redis:// or rediss:// (TLS) URL with user, password and database" secret:"true"`
	Instance string `doc:"name of this installation, part of every key, so that several can share a Redis; 1 to 63 letters, digits, hyphens"`

	SoftTTL     time.Duration `doc:"duration after which a document in Redis is read from the store again, while the store answers"`
	HardTTL     time.Duration `doc:"duration for which Redis keeps a document, and serves it while the store does not answer"`
	NegativeTTL time.Duration `doc:"duration for which Redis keeps that a name is not found"`

	LocalTTL     time.Duration `doc:"duration for which a process keeps a decoded document"`
	LocalEntries int           `doc:"number of documents that a process keeps; 0 keeps none"`
	LocalBytes   int           `doc:"bytes of documents, as JSON, that a process keeps"`

	Timeout        time.Duration `doc:"duration of one round trip to Redis, its retry and connecting included; at most 250ms"`
	BackendTimeout time.Duration `doc:"duration of one read of the store; less than 10s, the life of a lease"`
	MaxConnections int           `doc:"number of connections of one process to Redis, without the one for subscriptions"`
}

// DefaultConfig has no URL; everything else suits a function or a gateway.
func DefaultConfig() Config {
	return Config{
		Instance:       "fairlead",
		SoftTTL:        10 * time.Minute,
		HardTTL:        24 * time.Hour,
		NegativeTTL:    30 * time.Second,
		LocalTTL:       30 * time.Second,
		LocalEntries:   10_000,
		LocalBytes:     64 << 20,
		Timeout:        250 * time.Millisecond,
		BackendTimeout: 2 * time.Second,
		MaxConnections: 32,
	}
}

// Limits of a Config.
const (
	maxTimeout = 250 * time.Millisecond
	leaseTTL   = 10 * time.Second // longer than any read of the backend
)

// Validate names the first bad field, and nothing of the URL, which may hold a password.
func (c *Config) Validate() error {
	if err := validateInstance(c.Instance); err != nil {
		return fmt.Errorf("instance: %w", err)
	}
	switch {
	case c.URL == "":
		return errors.New("url: is missing")
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
	case c.Timeout < time.Millisecond || c.Timeout > maxTimeout:
		return errors.New("timeout: must lie between 1ms and 250ms")
	case c.BackendTimeout < time.Millisecond || c.BackendTimeout >= leaseTTL:
		return errors.New("backendTimeout: must lie between 1ms and 10s")
	case c.MaxConnections < 1:
		return errors.New("maxConnections: must be at least 1")
	}
	if _, err := redis.ParseURL(c.URL); err != nil {
		return errors.New("url: does not parse as a Redis URL")
	}
	return nil
}

func validateInstance(name string) error {
	if name == "" || len(name) > 63 {
		return errors.New("must have 1 to 63 characters")
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return errors.New("must have letters, digits and hyphens only")
		}
	}
	return nil
}

// Client makes a client that has no connection yet. Who uses Redis for more than the cache makes one, too.
func (c *Config) Client() (*redis.Client, error) {
	options, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, errors.New("url: does not parse as a Redis URL") // the cause quotes it
	}
	if options.Protocol == 0 {
		options.Protocol = 2 // nothing here needs the push messages of version 3
	}
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = c.Timeout, c.Timeout, c.Timeout, c.Timeout
	options.ContextTimeoutEnabled = true
	options.MaxRetries, options.DialerRetries = 1, 1
	options.MinRetryBackoff, options.MaxRetryBackoff = time.Millisecond, 10*time.Millisecond
	options.PoolSize, options.MaxActiveConns = c.MaxConnections, c.MaxConnections
	options.DisableIdentity = true // saves a command for each new connection, as does the next line
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options), nil
}
