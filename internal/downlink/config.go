package downlink

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"
)

// keyBytes is the length of an encryption key: AES-256.
const keyBytes = 32

// A Config says whether downlink addresses are kept, and for how long.
type Config struct {
	Key string        `doc:"key with which the downlink addresses that come with webhooks of The Things Stack are encrypted in Redis: 32 random bytes in base64, the same for ttn and command; empty: they are not kept" secret:"true"`
	TTL time.Duration `doc:"duration for which they are kept after a device's last webhook"`
}

// DefaultConfig keeps nothing, for want of a key.
func DefaultConfig() Config { return Config{TTL: 30 * 24 * time.Hour} }

// NewKey draws a key.
func NewKey() string {
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// Enabled tells whether there is a key.
func (c *Config) Enabled() bool { return c.Key != "" }

// Validate names the first bad field, and nothing of the key.
func (c *Config) Validate() error {
	if c.Enabled() {
		if _, err := c.key(); err != nil {
			return err
		}
	}
	if c.TTL < time.Minute || c.TTL > 365*24*time.Hour {
		return errors.New("ttl: must lie between 1m and 8760h")
	}
	return nil
}

func (c *Config) key() ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(c.Key)
	if err != nil || len(key) != keyBytes {
		return nil, errors.New("key: must be 32 bytes in base64, as openssl rand -base64 32 prints them")
	}
	return key, nil
}
