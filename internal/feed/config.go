package feed

import (
	"errors"
	"time"
)

// A Config says how much may be consumed at once.
type Config struct {
	MaxConsumers int           `doc:"number of subscriptions of all users together, of one application at most as many as are left for others, beyond which further ones are refused; 1 to 1000000"`
	MaxReaders   int           `doc:"number of subscriptions without a group that begin elsewhere than at the end, each of which costs Kafka a fetch of its own, of one application at most as many as are left for others, beyond which further ones are refused; 0 to 100000"`
	OpenTimeout  time.Duration `doc:"duration within which Kafka has to say where a subscription begins; 1s to 60s"`
	Recheck      time.Duration `doc:"duration after which log-ins of consumers are judged again, so that a deleted access token ends them; 1s to 1h"`
}

// DefaultConfig suits a gateway with a gigabyte of memory.
func DefaultConfig() Config {
	return Config{MaxConsumers: 10_000, MaxReaders: 500, OpenTimeout: 10 * time.Second, Recheck: 30 * time.Second}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.MaxConsumers < 1 || c.MaxConsumers > 1_000_000:
		return errors.New("maxConsumers: must lie between 1 and 1000000")
	case c.MaxReaders < 0 || c.MaxReaders > 100_000:
		return errors.New("maxReaders: must lie between 0 and 100000")
	case c.OpenTimeout < time.Second || c.OpenTimeout > time.Minute:
		return errors.New("openTimeout: must lie between 1s and 60s")
	case c.Recheck < time.Second || c.Recheck > time.Hour:
		return errors.New("recheck: must lie between 1s and 1h")
	}
	return nil
}
