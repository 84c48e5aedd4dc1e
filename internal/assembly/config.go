package assembly

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/cache"
	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/sink"
	"github.com/fairlead/fairlead/internal/user"
)

// Prefix begins the name of every environment variable that is a setting.
const Prefix = "FAIRLEAD"

// A Config has the groups that functions and gateways share. Their own configurations embed it.
type Config struct {
	Process process.Config
	Kafka   kafka.Config
	Sink    sink.Config
	Ingest  ingest.Config
	Cache   cache.Config
	Self    user.SourceConfig

	Assertion assertion.Config
}

// DefaultConfig has everything but addresses.
func DefaultConfig() Config {
	return Config{
		Process: process.DefaultConfig(),
		Kafka:   kafka.DefaultConfig(),
		Sink:    sink.DefaultConfig(),
		Ingest:  ingest.DefaultConfig(),
		Cache:   cache.DefaultConfig(),
		Self:    user.DefaultSourceConfig(),

		Assertion: assertion.DefaultConfig(),
	}
}

// A Condition is what has to hold between two fields.
type Condition string

// The conditions, as errors put them.
const (
	BeBelow    Condition = "must be below"
	NotBeBelow Condition = "must not be below"
)

// A Rule is a condition between fields of two groups, which no group can check by itself. Fields are numbers or durations,
// named by their paths.
type Rule struct {
	Field string
	Must  Condition
	Other string
}

// check holds a configuration against the rule.
func (r Rule) check(configuration any) error {
	field, err := config.Number(configuration, r.Field)
	if err != nil {
		return err
	}
	other, err := config.Number(configuration, r.Other)
	if err != nil {
		return err
	}
	if below := cmp.Less(field, other); below != (r.Must == BeBelow) {
		return fmt.Errorf("%s: %s %s", r.Field, r.Must, r.Other)
	}
	return nil
}

// Load fills the configuration of a program, a pointer to a struct that holds the defaults, from its environment.
func Load(environment []string, configuration any) error {
	if err := config.Load(Prefix, environment, configuration); err != nil {
		return err
	}
	group, err := config.Group(configuration, groupSink)
	if bound, ok := group.(*sink.Config); ok {
		bound.Bind(environment)
	}
	return err
}

// Validate checks the groups of a configuration that a process needs, and the rules between them. The configuration is a
// pointer to the struct of a program, c and a are its groups. Errors name the path of each bad field.
func (p *Process) Validate(configuration any, c *Config, a *auth.Config) error {
	var problems []error
	for _, name := range p.validated(c, a) {
		group, err := config.Group(configuration, name)
		if err != nil {
			return err
		}
		problems = append(problems, config.Validate(name, group))
	}
	for _, r := range p.Rules {
		if p.usesSink(c) {
			r.Other = strings.Replace(r.Other, groupKafka+".", groupSink+".", 1) // which has the same bounds
		}
		problems = append(problems, r.check(configuration))
	}
	return errors.Join(problems...)
}

// validated are the groups that a process needs with a configuration.
func (p *Process) validated(c *Config, a *auth.Config) []string {
	access := p.access(a.Client.URL != "")
	groups := slices.Concat(kindGroups[p.Kind], p.Groups, accessGroups[access])
	if c.Cache.URL != "" && access == Asks {
		groups = append(groups, "cache") // is listened to for changes of the registry
	}
	if p.usesSink(c) {
		groups = slices.DeleteFunc(groups, func(name string) bool { return name == groupKafka && !slices.Contains(p.Groups, groupChanges) })
		groups = append(groups, groupSink)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// usesSink tells whether a process hands its events to a sink in place of Kafka. One that tells of changes needs Kafka all the same, for
// the topics of applications.
func (p *Process) usesSink(c *Config) bool {
	return c.Sink.InUse() && (slices.Contains(p.Groups, groupIngest) || slices.Contains(p.Groups, groupChanges))
}
