package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/registry"
)

// MaxAnchored is how many applications Anchored finds.
const MaxAnchored = 64

// Anchored lists the names of applications that have a trust anchor of a subject, those that are the oldest first, at most
// MaxAnchored. None is no error.
func (s *Store) Anchored(ctx context.Context, subject string) ([]string, error) {
	if registry.ValidateAlias(subject) != nil {
		return nil, nil
	}
	names, err := list(ctx, s.read, "SELECT d.name FROM application_aliases a JOIN applications d ON d.name = a.name"+
		" WHERE a.alias = $1 AND a.name <> $1 ORDER BY d.created, d.name LIMIT $2", subject, MaxAnchored)
	if err != nil {
		return nil, fmt.Errorf("looking up the applications of a trust anchor: %w", err)
	}
	return names, nil
}

// Application finds an application by its name, in one query. An application that is being deleted is found, with its deletion
// timestamp.
func (s *Store) Application(ctx context.Context, alias string) (*registry.Application, error) {
	var found row
	if err := s.find(ctx, s.applications, &found, alias); err != nil {
		return nil, err
	}
	var a registry.Application
	if err := found.decode(&a.Metadata, &a.Spec, &a.Status); err != nil {
		return nil, fmt.Errorf("reading an application: %w", err)
	}
	return &a, nil
}

// Device finds a device of an application, given by registry name, by the device's name or alias, in one query. It
// does not look at the application. A device that is being deleted is found, with its deletion timestamp.
func (s *Store) Device(ctx context.Context, application, alias string) (*registry.Device, error) {
	if registry.ValidateApplicationName(application) != nil {
		return nil, errNoDevice
	}
	var found row
	if err := s.find(ctx, s.devices, &found, alias, application); err != nil {
		return nil, err
	}
	var d registry.Device
	if err := found.decode(&d.Metadata, &d.Spec, &d.Status); err != nil {
		return nil, fmt.Errorf("reading a device: %w", err)
	}
	return &d, nil
}

func (s *Store) find(ctx context.Context, c *collection, into *row, alias string, scope ...any) error {
	if registry.ValidateAlias(alias) != nil {
		return c.notFound
	}
	err := into.scan(s.read.QueryRowContext(ctx, c.lookup, append([]any{alias}, scope...)...))
	if errors.Is(err, sql.ErrNoRows) {
		return c.notFound
	}
	if err != nil {
		return fmt.Errorf("looking up %s: %w", c.noun(), err)
	}
	return nil
}
