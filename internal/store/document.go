package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

// A draft is a valid document on its way into the tables.
type draft struct {
	row
	aliases []registry.Alias // in the order in which everybody claims them, so that few writers deadlock
}

func draftApplication(a *registry.Application) (*draft, error) {
	if err := a.Validate(); err != nil {
		return nil, invalid(err)
	}
	aliases, err := a.Aliases()
	if err != nil {
		return nil, invalid(err)
	}
	for _, alias := range aliases {
		if err := checkSubject(alias); err != nil {
			return nil, invalid(fmt.Errorf("%s: %w", field(alias.Kind), err))
		}
	}
	return newDraft(&a.Metadata, a.Spec, a.Status, aliases)
}

func draftDevice(d *registry.Device) (*draft, error) {
	if err := d.Validate(); err != nil {
		return nil, invalid(err)
	}
	aliases, err := d.Aliases()
	if err != nil {
		return nil, invalid(err)
	}
	return newDraft(&d.Metadata, d.Spec, d.Status, aliases)
}

func newDraft(m *registry.Metadata, spec, status registry.Sections, aliases []registry.Alias) (*draft, error) {
	r, err := encode(m, spec, status)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(aliases, func(a, b registry.Alias) int { return strings.Compare(a.Value, b.Value) })
	return &draft{row: *r, aliases: aliases}, nil
}

// names are all aliases, sorted by their bytes.
func (d *draft) names() []string {
	list := make([]string, len(d.aliases))
	for i, alias := range d.aliases {
		list[i] = alias.Value
	}
	return list
}

// checkSubject keeps trust anchors apart from names: a subject has an equals sign, which no application name has.
// Without it, the status of one application could take the name of another one that is still to come.
func checkSubject(alias registry.Alias) error {
	if alias.Kind != registry.AliasTrustAnchor {
		return nil
	}
	if !strings.Contains(alias.Value, "=") {
		return errors.New("subject is not a distinguished name")
	}
	return registry.ValidateAlias(alias.Value)
}
