package assertion

import (
	"errors"
	"fmt"
)

// A Config holds the keys that gateways and functions share.
type Config struct {
	Keys []string `doc:"secrets, at least 32 characters each, with which the HTTP gateway signs who its clients are, and by which functions believe it. The gateway signs with the first; a function believes all, and nobody without one. To replace a key, first add the new one behind the old one at the functions, then put it first at the gateway, then take the old one away" secret:"true"`
}

// DefaultConfig has no key.
func DefaultConfig() Config { return Config{} }

// Bounds of the keys.
const (
	minKey  = 32 // characters
	maxKeys = 4  // of which a signature may be
)

// Validate names the first bad field. It says nothing of a key's content.
func (c *Config) Validate() error {
	if len(c.Keys) > maxKeys {
		return fmt.Errorf("keys: must be at most %d", maxKeys)
	}
	for _, key := range c.Keys {
		if len(key) < minKey {
			return errors.New("keys: must have at least 32 characters each")
		}
	}
	return nil
}
