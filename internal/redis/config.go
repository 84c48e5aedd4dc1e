package redis

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// How the servers behind a URL work together, the values of Config.Mode.
const (
	Single   = "single"
	Sentinel = "sentinel"
	Cluster  = "cluster"
)

// A Config says where Redis is and how patiently it is asked.
type Config struct {
	URL            string        `doc:"redis:// or rediss:// (TLS) URL with user, password and database; for Sentinel and clusters with further servers as ?addr=host:port&addr=host:port, for Sentinel also with master_name=NAME" secret:"true"`
	Mode           string        `doc:"how the servers at the URL work together: single, sentinel (they are the sentinels) or cluster"`
	Instance       string        `doc:"name of this installation, part of every key, so that several can share a Redis; 1 to 63 letters, digits, hyphens"`
	Timeout        time.Duration `doc:"duration of one round trip to Redis, its retry and connecting included; 1ms to 250ms"`
	MaxConnections int           `doc:"number of connections of one process to a server of Redis, without those for subscriptions"`
}

// DefaultConfig has no URL; everything else suits a function or a gateway.
func DefaultConfig() Config {
	return Config{Mode: Single, Instance: "fairlead", Timeout: maxTimeout, MaxConnections: 32}
}

// maxTimeout bounds how long a request of a device waits for a Redis that does not answer.
const maxTimeout = 250 * time.Millisecond

// Validate names the first bad field, and nothing of the URL, which may hold a password.
func (c *Config) Validate() error {
	if err := validateInstance(c.Instance); err != nil {
		return fmt.Errorf("instance: %w", err)
	}
	switch {
	case c.URL == "":
		return errors.New("url: is missing")
	case !slices.Contains([]string{Single, Sentinel, Cluster}, c.Mode):
		return errors.New("mode: must be single, sentinel or cluster")
	case c.Timeout < time.Millisecond || c.Timeout > maxTimeout:
		return errors.New("timeout: must lie between 1ms and 250ms")
	case c.MaxConnections < 1:
		return errors.New("maxConnections: must be at least 1")
	}
	_, err := c.options()
	return err
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

// Client makes a client that has no connection yet.
func (c *Config) Client() (redis.UniversalClient, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	return c.client(o), nil
}

// ClientWithoutRetries makes a client that asks once, for what must not be done twice.
func (c *Config) ClientWithoutRetries() (redis.UniversalClient, error) {
	o, err := c.options()
	if err != nil {
		return nil, err
	}
	o.MaxRetries = -1
	return c.client(o), nil
}

func (c *Config) client(o *redis.UniversalOptions) redis.UniversalClient {
	switch c.Mode {
	case Sentinel:
		return redis.NewFailoverClient(o.Failover())
	case Cluster:
		return redis.NewClusterClient(o.Cluster())
	default:
		return redis.NewClient(o.Simple())
	}
}

// options reads the URL, and adds what does not depend on how the servers work together.
func (c *Config) options() (*redis.UniversalOptions, error) {
	o, err := c.parse()
	if err != nil {
		return nil, errors.New("url: does not parse as a URL of Redis for the mode " + c.Mode) // the cause quotes it
	}
	if o.Protocol == 0 {
		o.Protocol = 2 // nothing here needs the push messages of version 3
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = c.Timeout, c.Timeout, c.Timeout, c.Timeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries, o.DialerRetries = 1, 1
	o.MinRetryBackoff, o.MaxRetryBackoff = time.Millisecond, 10*time.Millisecond
	o.PoolSize, o.MaxActiveConns = c.MaxConnections, c.MaxConnections
	o.DisableIdentity = true // saves a command for each new connection, as does the next line
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// parse takes from the URL where the servers are and how to log in.
func (c *Config) parse() (*redis.UniversalOptions, error) {
	switch c.Mode {
	case Sentinel:
		o, err := redis.ParseFailoverURL(c.URL)
		if err != nil {
			return nil, err
		}
		if o.MasterName == "" {
			return nil, errors.New("master_name is missing")
		}
		return &redis.UniversalOptions{
			Addrs: o.SentinelAddrs, MasterName: o.MasterName, DB: o.DB, Protocol: o.Protocol, TLSConfig: o.TLSConfig,
			Username: o.Username, Password: o.Password, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		}, nil
	case Cluster:
		o, err := redis.ParseClusterURL(c.URL)
		if err != nil {
			return nil, err
		}
		return &redis.UniversalOptions{
			Addrs: o.Addrs, Protocol: o.Protocol, TLSConfig: o.TLSConfig, Username: o.Username, Password: o.Password,
		}, nil
	default:
		o, err := redis.ParseURL(c.URL)
		if err != nil {
			return nil, err
		}
		return &redis.UniversalOptions{
			Addrs: []string{o.Addr}, DB: o.DB, Protocol: o.Protocol, TLSConfig: o.TLSConfig, Username: o.Username, Password: o.Password,
		}, nil
	}
}

// Keys is the prefix of all keys and channels of this installation. The braces are a hash tag: in a cluster all keys are in
// one slot, so that a script and a pipeline may use any of them.
func (c *Config) Keys() string { return Keys(c.Instance) }

// Keys is the prefix of all keys and channels of the installation of that name.
func Keys(instance string) string { return "fairlead:{" + instance + "}:" }
