package dtls

import (
	"errors"
	"time"
)

// A Config bounds what sessions may cost.
type Config struct {
	MaxSessions      int           `doc:"number of DTLS sessions at once; beyond, the one that has been idle for longest ends, those of clients that have not been admitted first"`
	MaxHandshakes    int           `doc:"number of DTLS handshakes at once with clients whose address is proven; beyond, the oldest is given up"`
	MaxUnproven      int           `doc:"number of clients at once that have begun a DTLS handshake and not returned the cookie; beyond, the oldest is forgotten"`
	HandshakeTimeout time.Duration `doc:"longest time for a DTLS handshake, with the look-up of the key; it leaves room for a cold start of the authentication function"`
	IdleTimeout      time.Duration `doc:"time without a message from the client after which its DTLS session ends"`
	Resumable        int           `doc:"number of DTLS sessions that can be resumed with a short handshake, those that are still open included; 0 is none"`
	ResumableFor     time.Duration `doc:"how long a DTLS session can be resumed after its full handshake"`
}

// DefaultConfig suits a gateway with 1 GiB: an idle session takes some 60 KB.
func DefaultConfig() Config {
	return Config{
		MaxSessions:      10_000,
		MaxHandshakes:    512,
		MaxUnproven:      512,
		HandshakeTimeout: 15 * time.Second,
		IdleTimeout:      24 * time.Hour,
		Resumable:        10_000,
		ResumableFor:     time.Hour,
	}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.MaxSessions < 1:
		return errors.New("maxSessions: must be at least 1")
	case c.MaxHandshakes < 1:
		return errors.New("maxHandshakes: must be at least 1")
	case c.MaxUnproven < 1:
		return errors.New("maxUnproven: must be at least 1")
	case c.HandshakeTimeout < time.Second || c.HandshakeTimeout > time.Minute:
		return errors.New("handshakeTimeout: must lie between 1s and 1m")
	case c.IdleTimeout < time.Minute:
		return errors.New("idleTimeout: must be at least 1m")
	case c.Resumable < 0:
		return errors.New("resumable: must not be negative")
	case c.ResumableFor < time.Second || c.ResumableFor > 24*time.Hour:
		return errors.New("resumableFor: must lie between 1s and 24h")
	}
	return nil
}
