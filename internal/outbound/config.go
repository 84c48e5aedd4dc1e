package outbound

import (
	"errors"
	"fmt"
	"time"
)

// A Config says where endpoints may lie, and bounds what they may take.
type Config struct {
	Allow        []string      `doc:"what endpoints may lie at although it is not public: addresses, CIDR prefixes, host names, and domains that begin with a dot, such as .apps.svc.cluster.local; empty: nothing, so that no user can reach into the cluster"`
	Deny         []string      `doc:"addresses and CIDR prefixes that endpoints must not lie at although they are public, such as those of the cluster's own pods and Services; goes before allow"`
	Timeout      time.Duration `doc:"duration of one request to an endpoint that names none of its own"`
	MaxTimeout   time.Duration `doc:"longest duration of one request, whatever the endpoint names; 100ms to 20s, so that an answer leaves before a function's 30s limit"`
	MaxResponse  int           `doc:"bytes of a response's body that are read; the rest is dropped with the connection"`
	Concurrency  int           `doc:"number of requests to one endpoint at once"`
	MaxWaiting   int           `doc:"number of requests that may wait for their turn at one endpoint, beyond which they are refused as overloaded"`
	MaxEndpoints int           `doc:"number of endpoints whose connections and failures are remembered; the one that was not used for longest is forgotten"`
	Failures     int           `doc:"number of failures in a row after which an endpoint is left alone: no response in time, no connection, or a status of 500 and above"`
	Pause        time.Duration `doc:"duration for which such an endpoint is left alone; then one request tries"`
}

// DefaultConfig allows public addresses only.
func DefaultConfig() Config {
	return Config{
		Timeout: 5 * time.Second, MaxTimeout: 20 * time.Second, MaxResponse: 4 << 10,
		Concurrency: 32, MaxWaiting: 128, MaxEndpoints: 1000, Failures: 5, Pause: 5 * time.Second,
	}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	if _, err := newGuard(*c); err != nil {
		return err
	}
	switch {
	case c.MaxTimeout < 100*time.Millisecond || c.MaxTimeout > 20*time.Second:
		return errors.New("maxTimeout: must lie between 100ms and 20s")
	case c.Timeout < 100*time.Millisecond || c.Timeout > c.MaxTimeout:
		return errors.New("timeout: must lie between 100ms and maxTimeout")
	case c.Pause < 100*time.Millisecond || c.Pause > 5*time.Minute:
		return errors.New("pause: must lie between 100ms and 5m")
	}
	for _, n := range []struct {
		name             string
		value, low, high int
	}{
		{"maxResponse", c.MaxResponse, 0, 1 << 20},
		{"concurrency", c.Concurrency, 1, 10_000},
		{"maxWaiting", c.MaxWaiting, 0, 100_000},
		{"maxEndpoints", c.MaxEndpoints, 1, 100_000},
		{"failures", c.Failures, 1, 1000},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("%s: must lie between %d and %d", n.name, n.low, n.high)
		}
	}
	return nil
}
