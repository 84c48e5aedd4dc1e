package gateways

import (
	"errors"

	"github.com/fairlead/fairlead/gateways/bridge"
	"github.com/fairlead/fairlead/gateways/coap"
	"github.com/fairlead/fairlead/gateways/http"
	"github.com/fairlead/fairlead/gateways/integration"
	"github.com/fairlead/fairlead/gateways/mqtt"
	"github.com/fairlead/fairlead/gateways/opcua"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/user"
)

// A Config is all that a gateway process can be told. A gateway reads the groups that it needs.
type Config struct {
	Health HealthConfig
	assembly.Config
	Auth        AuthConfig
	Presence    presence.Config
	MQTT        mqtt.Config
	COAP        coap.Config
	HTTP        http.Config
	Bridge      bridge.Config
	OPCUA       opcua.Config
	User        user.Config
	Integration integration.Config
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
		Config:   assembly.DefaultConfig(),
		Auth:     AuthConfig{Cache: a.Cache, Steady: a.Steady, Client: a.Client},
		Presence: presence.DefaultConfig(),
		MQTT:     mqtt.DefaultConfig(),
		COAP:     coap.DefaultConfig(),
		HTTP:     http.DefaultConfig(),
		Bridge:   bridge.DefaultConfig(),
		OPCUA:    opcua.DefaultConfig(),

		User:        user.DefaultConfig(),
		Integration: integration.DefaultConfig(),
	}
}

// LoadConfig reads the environment, given as NAME=value, and checks every group that a gateway needs. Errors name the path of
// each bad field.
func LoadConfig(p assembly.Process, environment []string) (Config, error) {
	c := DefaultConfig()
	if err := assembly.Load(environment, &c); err != nil {
		return c, err
	}
	layers := c.Auth.layers()
	return c, p.Validate(&c, &c.Config, &layers)
}
