package command

import (
	"errors"
	"time"

	commands "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/crossorigin"
)

// A Config bounds what a command may take, and says who may send one.
type Config struct {
	MaxBody    int           `doc:"largest payload of a command in bytes"`
	MaxTimeout time.Duration `doc:"longest time that a request waits for a device to listen and to answer, whatever its timeout and its wait say"`
	MaxWaiting int           `doc:"number of requests that wait for a device at once; beyond, the application and the device that have the most give way, or the request is refused"`

	Origins []string `doc:"web origins, as https://console.example.com, whose pages may send commands; none by default; * is every one"`

	Readers    bool `doc:"whether who may read an application may send commands to its devices, as in Drogue Cloud; else it takes the right to write"`
	OpenEvents bool `doc:"whether commands in events are taken at /{application} from callers without a token; only for a Service that nobody but Triggers reaches (label networking.knative.dev/visibility: cluster-local)"`
}

// DefaultConfig takes what a device may send.
func DefaultConfig() Config {
	return Config{MaxBody: 64 << 10, MaxTimeout: 60 * time.Second, MaxWaiting: 1000}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.MaxBody < 1 || c.MaxBody > commands.MaxPayload:
		return errors.New("maxBody: must lie between 1 and 921600")
	case c.MaxTimeout < 0 || c.MaxTimeout > 60*time.Second:
		return errors.New("maxTimeout: must lie between 0s and 60s")
	case c.MaxWaiting < 0:
		return errors.New("maxWaiting: must not be negative")
	}
	return crossorigin.Validate(c.Origins)
}
