package registryfile

import (
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/registry"
)

// Problems are what of the documents is valid, and probably not meant so.
func (c *Contents) Problems() (all []error) {
	add := func(what string, found []registry.Problem) {
		for _, problem := range found {
			all = append(all, fmt.Errorf("%s: %s", what, problem))
		}
	}
	for _, a := range c.Applications {
		add(fmt.Sprintf("application %q", a.Metadata.Name), registry.CheckApplication(a))
	}
	for _, d := range c.Devices {
		add(fmt.Sprintf("device %q of application %q", d.Metadata.Name, d.Metadata.Application), registry.CheckDevice(d))
	}
	return all
}

// maxProblems bounds an error of Strict.
const maxProblems = 20

// Strict is an error if there are problems.
func (c *Contents) Strict() error {
	all := c.Problems()
	if len(all) == 0 {
		return nil
	}
	if more := len(all) - maxProblems; more > 0 {
		all = append(all[:maxProblems], fmt.Errorf("%d more", more))
	}
	return fmt.Errorf("registry files:\n%w\n(--lenient takes them nevertheless)", errors.Join(all...))
}
