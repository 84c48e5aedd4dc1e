package main

import (
	"errors"

	"github.com/fairlead/fairlead/gateways/bridge"
	"github.com/fairlead/fairlead/gateways/coap"
	"github.com/fairlead/fairlead/gateways/mqtt"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/user"
)

// prefix begins the name of every environment variable that is a setting.
const prefix = "FAIRLEAD"

// A Config is all that a gateway process can be told. A gateway reads the groups that it needs.
type Config struct {
	Health   HealthConfig
	Process  process.Config
	Kafka    kafka.Config
	Ingest   ingest.Config
	Cache    cache.Config
	Auth     AuthConfig
	Self     user.SourceConfig
	Presence presence.Config
	MQTT     mqtt.Config
	COAP     coap.Config
	Bridge   bridge.Config
}

// An AuthConfig holds the layers of authentication that a gateway has: credentials are judged by the authentication
// function.
type AuthConfig struct {
	Cache  auth.CacheConfig
	Steady auth.SteadyConfig
	Client auth.ClientConfig
}

// Validate names the first bad field.
func (c *AuthConfig) Validate() error {
	if c.Client.URL == "" {
		return errors.New("client.url: is missing; a gateway asks the authentication function")
	}
	return nil
}

func (c *AuthConfig) layers() auth.Config {
	return auth.Config{Cache: c.Cache, Steady: c.Steady, Client: c.Client}
}

// DefaultConfig has everything but addresses.
func DefaultConfig() Config {
	a := auth.DefaultConfig()
	return Config{
		Health:   HealthConfig{Address: ":8085"},
		Process:  process.DefaultConfig(),
		Kafka:    kafka.DefaultConfig(),
		Ingest:   ingest.DefaultConfig(),
		Cache:    cache.DefaultConfig(),
		Auth:     AuthConfig{Cache: a.Cache, Steady: a.Steady, Client: a.Client},
		Self:     user.DefaultSourceConfig(),
		Presence: presence.DefaultConfig(),
		MQTT:     mqtt.DefaultConfig(),
		COAP:     coap.DefaultConfig(),
		Bridge:   bridge.DefaultConfig(),
	}
}

// A group is a part of the configuration that is validated on its own.
type group struct {
	path     string
	settings any
}

// loadConfig reads the environment, given as NAME=value, and checks every group that the gateway needs. Errors name the
// path of each bad field.
func loadConfig(g gateway, environment []string) (Config, error) {
	c := DefaultConfig()
	if err := config.Load(prefix, environment, &c); err != nil {
		return c, err
	}
	groups := append([]group{
		{"health", &c.Health}, {"process", &c.Process}, {"kafka", &c.Kafka}, {"ingest", &c.Ingest}, {"auth", &c.Auth}, {"self", &c.Self},
	}, g.groups(&c)...)
	if c.Cache.URL != "" {
		groups = append(groups, group{"cache", &c.Cache})
	}
	var problems []error
	seen := map[string]bool{}
	for _, g := range groups {
		if !seen[g.path] {
			problems = append(problems, config.Validate(g.path, g.settings))
		}
		seen[g.path] = true
	}
	if g.validate != nil {
		problems = append(problems, g.validate(&c))
	}
	return c, errors.Join(problems...)
}

// validateMQTT checks what concerns two groups: the gateway must stop reading before Kafka's bounds are reached, or messages
// would be refused that could have waited.
func (c *Config) validateMQTT() error {
	switch {
	case c.MQTT.MaxInFlight >= c.Kafka.MaxRecords:
		return errors.New("mqtt.maxInFlight: must be below kafka.maxRecords")
	case c.MQTT.MaxInFlightBytes >= c.Kafka.MaxBytes:
		return errors.New("mqtt.maxInFlightBytes: must be below kafka.maxBytes")
	case c.MQTT.DrainTimeout < c.Kafka.DeliveryTimeout:
		return errors.New("mqtt.drainTimeout: must not be below kafka.deliveryTimeout")
	}
	return nil
}
