package push

import "errors"

// A Config bounds what a delivery may take.
type Config struct {
	MaxBody int `doc:"largest data of an event in bytes"`
}

// DefaultConfig takes what fits into a record of Kafka.
func DefaultConfig() Config { return Config{MaxBody: 1 << 20} }

// Validate names the first bad field.
func (c *Config) Validate() error {
	if c.MaxBody < 1 || c.MaxBody > 16<<20 {
		return errors.New("maxBody: must lie between 1 and 16777216")
	}
	return nil
}
