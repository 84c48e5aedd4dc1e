package changes

import (
	"errors"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/topics"
)

// A Config says where changes are told, and how soon.
type Config struct {
	Topic      string        `doc:"Kafka topic for the events of changes; it must exist"`
	Instance   string        `doc:"name of this installation, the extension attribute instance of every event"`
	Interval   time.Duration `doc:"duration between two looks for changes that another process has left, and after a failure"`
	Batch      int           `doc:"number of changes that are read at once, and of resources whose events are on their way at once"`
	Topics     topics.Config
	MaxWaiting int `doc:"number of changes that may wait to be told; beyond, the registry is not changed until they are fewer"`
}

// DefaultConfig has the values of the wire contract.
func DefaultConfig() Config {
	return Config{Topic: "registry", Instance: "drogue", Interval: time.Second, Batch: 100, Topics: topics.DefaultConfig(), MaxWaiting: 100_000}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.Topic == "" || len(c.Topic) > 249:
		return errors.New("topic: must have 1 to 249 characters")
	case c.Instance == "" || event.ValidateExtension("x", c.Instance) != nil:
		return errors.New("instance: must be a short text without control characters")
	case c.Interval < 10*time.Millisecond || c.Interval > time.Minute:
		return errors.New("interval: must lie between 10ms and 1m")
	case c.Batch < 1 || c.Batch > 1000:
		return errors.New("batch: must lie between 1 and 1000")
	case c.MaxWaiting < 1 || c.MaxWaiting > 10_000_000:
		return errors.New("maxWaiting: must lie between 1 and 10000000")
	}
	return nil
}
