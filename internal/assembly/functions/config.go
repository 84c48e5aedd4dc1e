package functions

import (
	"fmt"
	"strings"

	authfn "github.com/fairlead/fairlead/functions/auth"
	"github.com/fairlead/fairlead/functions/command"
	"github.com/fairlead/fairlead/functions/provision"
	"github.com/fairlead/fairlead/functions/push"
	"github.com/fairlead/fairlead/functions/telemetry"
	"github.com/fairlead/fairlead/functions/ttn"
	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/downlink"
	"github.com/fairlead/fairlead/internal/forwarded"
	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/store/postgres"
	"github.com/fairlead/fairlead/internal/user"
	registryfn "github.com/fairlead/fairlead/registry-fn"
)

// A Config is all that a function process can be told. A function reads the groups that it needs.
type Config struct {
	Function string `doc:"which function this process is: telemetry, ttn, auth, registry, push, command or provision"`
	assembly.Config
	Proxies    forwarded.Config
	Database   postgres.Config
	Auth       auth.Config
	Telemetry  telemetry.Config
	TTN        ttn.Config
	API        authfn.Config
	User       user.Config
	Changes    changes.Config
	Registry   registryfn.Config
	Kubernetes kube.Config
	Provision  provision.Config
	Outbound   outbound.Config
	Push       push.Config
	Command    command.Config
	Downlink   downlink.Config
}

// DefaultConfig has everything but addresses.
func DefaultConfig() Config {
	return Config{
		Function:   assembly.Telemetry,
		Config:     assembly.DefaultConfig(),
		Proxies:    forwarded.DefaultConfig(),
		Database:   postgres.DefaultConfig(),
		Auth:       auth.DefaultConfig(),
		Telemetry:  telemetry.DefaultConfig(),
		TTN:        ttn.DefaultConfig(),
		API:        authfn.DefaultConfig(),
		User:       user.DefaultConfig(),
		Changes:    changes.DefaultConfig(),
		Registry:   registryfn.DefaultConfig(),
		Kubernetes: kube.DefaultConfig(),
		Provision:  provision.DefaultConfig(),
		Outbound:   outbound.DefaultConfig(),
		Push:       push.DefaultConfig(),
		Command:    command.DefaultConfig(),
		Downlink:   downlink.DefaultConfig(),
	}
}

// LoadConfig reads the environment, given as NAME=value, and checks every group that the function needs.
func LoadConfig(environment []string) (Config, error) {
	c := DefaultConfig()
	if err := assembly.Load(environment, &c); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// Validate checks the groups that the function needs. Errors name the path of each bad field.
func (c *Config) Validate() error {
	p, err := c.process()
	if err != nil {
		return err
	}
	return p.Validate(c, &c.Config, &c.Auth)
}

// process is the row of the function.
func (c *Config) process() (assembly.Process, error) {
	p, ok := assembly.Find(assembly.Function, c.Function)
	if !ok {
		return p, fmt.Errorf("function: must be %s", names())
	}
	return p, nil
}

// names lists the functions, for a message.
func names() string {
	var all []string
	for _, p := range assembly.Of(assembly.Function) {
		all = append(all, p.Name)
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " or " + all[last]
}
