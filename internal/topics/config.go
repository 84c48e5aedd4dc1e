package topics

import (
	"errors"
	"strconv"
	"time"
)

// A Config says what topics are like.
type Config struct {
	Make        bool          `doc:"whether the Kafka topics of each application are made, and deleted with the application; false where somebody else does"`
	Partitions  int           `doc:"number of partitions of a topic that is made; 1 to 10000"`
	Replication int           `doc:"number of brokers that have each partition of a topic that is made; -1 is the broker's default; up to 32"`
	Retention   time.Duration `doc:"duration for which a topic that is made keeps events, its property retention.ms; 0s is the broker's default"`
}

// DefaultConfig makes topics with three partitions.
func DefaultConfig() Config { return Config{Make: true, Partitions: 3, Replication: -1} }

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.Partitions < 1 || c.Partitions > 10_000:
		return errors.New("partitions: must lie between 1 and 10000")
	case c.Replication != -1 && (c.Replication < 1 || c.Replication > 32):
		return errors.New("replication: must be -1 or lie between 1 and 32")
	case c.Retention != 0 && c.Retention < time.Minute:
		return errors.New("retention: must be 0s or at least 1m")
	}
	return nil
}

// properties are what a topic that is made is told beyond its partitions.
func (c *Config) properties() map[string]*string {
	if c.Retention == 0 {
		return nil
	}
	retention := strconv.FormatInt(c.Retention.Milliseconds(), 10)
	return map[string]*string{"retention.ms": &retention}
}
