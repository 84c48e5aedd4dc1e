package assembly

import (
	"errors"
	"fmt"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/functions/telemetry"
	"github.com/fairlead/fairlead/functions/ttn"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/forwarded"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/internal/user"
	registryfn "github.com/fairlead/fairlead/registry-fn"
)

// Prefix begins the name of every environment variable that is a setting.
const Prefix = "FAIRLEAD"

// The functions, as FAIRLEAD_FUNCTION names them.
const (
	Telemetry = "telemetry"
	TTN       = "ttn"
	Auth      = "auth"

	DeviceRegistry = "registry"
)

// A Config is all that a function process can be told. A function reads the groups that it needs.
type Config struct {
	Function  string `doc:"which function this process is: telemetry, ttn, auth or registry"`
	Process   process.Config
	Proxies   forwarded.Config
	Kafka     kafka.Config
	Ingest    ingest.Config
	Database  postgres.Config
	Cache     cache.Config
	Auth      auth.Config
	Telemetry telemetry.Config
	TTN       ttn.Config
	API       authfn.Config
	User      user.Config
	Self      user.SourceConfig
	Changes   changes.Config
	Registry  registryfn.Config
}

// DefaultConfig has everything but addresses.
func DefaultConfig() Config {
	return Config{
		Function:  Telemetry,
		Process:   process.DefaultConfig(),
		Proxies:   forwarded.DefaultConfig(),
		Kafka:     kafka.DefaultConfig(),
		Ingest:    ingest.DefaultConfig(),
		Database:  postgres.DefaultConfig(),
		Cache:     cache.DefaultConfig(),
		Auth:      auth.DefaultConfig(),
		Telemetry: telemetry.DefaultConfig(),
		TTN:       ttn.DefaultConfig(),
		API:       authfn.DefaultConfig(),
		User:      user.DefaultConfig(),
		Self:      user.DefaultSourceConfig(),
		Changes:   changes.DefaultConfig(),
		Registry:  registryfn.DefaultConfig(),
	}
}

// LoadConfig reads the environment, given as NAME=value, and checks every group that the function needs.
func LoadConfig(environment []string) (Config, error) {
	c := DefaultConfig()
	if err := config.Load(Prefix, environment, &c); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// Validate checks the groups that the function needs. Errors name the path of each bad field.
func (c *Config) Validate() error {
	groups := []group{{"process", &c.Process}, {"proxies", &c.Proxies}}
	switch c.Function {
	case Telemetry:
		groups = append(groups, group{"kafka", &c.Kafka}, group{"ingest", &c.Ingest}, group{"telemetry", &c.Telemetry})
	case TTN:
		groups = append(groups, group{"kafka", &c.Kafka}, group{"ingest", &c.Ingest}, group{"ttn", &c.TTN})
	case Auth:
		groups = append(groups, group{"api", &c.API}, group{"user", &c.User})
	case DeviceRegistry:
		groups = append(groups, group{"kafka", &c.Kafka}, group{"user", &c.User}, group{"changes", &c.Changes}, group{"registry", &c.Registry})
	default:
		return fmt.Errorf("function: must be %s, %s, %s or %s", Telemetry, TTN, Auth, DeviceRegistry)
	}
	if c.Function != DeviceRegistry {
		groups = append(groups, group{"auth", &c.Auth}, group{"self", &c.Self})
	}
	if c.judges() {
		groups = append(groups, group{"database", &c.Database}, group{"cache", &c.Cache})
	} else if c.watches() {
		groups = append(groups, group{"cache", &c.Cache})
	}
	var problems []error
	for _, g := range groups {
		problems = append(problems, config.Validate(g.path, g.settings))
	}
	return errors.Join(problems...)
}

// A group is a part of the configuration that is validated on its own.
type group struct {
	path     string
	settings any
}

// judges tells whether this process has the registry's documents itself, and does not ask the authentication function.
func (c *Config) judges() bool {
	return c.Function == Auth || c.Function == DeviceRegistry || c.Auth.Client.URL == ""
}

// watches tells whether a process that asks the authentication function hears of changes by Redis.
func (c *Config) watches() bool { return c.Cache.URL != "" }
