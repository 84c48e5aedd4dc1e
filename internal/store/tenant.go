package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/fairlead/fairlead/internal/registry"
)

// A Tenant is an application as far as it concerns who may do what with it.
type Tenant struct {
	Application     string
	UID             string
	ResourceVersion string // of the application's document
	Deleting        bool
	Owner           string            // ID of a user; "" is nobody
	Heir            string            // ID of the user to whom the owner offers it; "" is nobody
	Members         map[string]string // roles, by the ID of a user or "" for everybody
}

// Tenant finds an application by name, in one query, which those share who ask at the same time. It must not be changed.
func (s *Store) Tenant(ctx context.Context, application string) (*Tenant, error) {
	if registry.ValidateApplicationName(application) != nil {
		return nil, errNoApplication
	}
	t, err := s.tenants.Get(ctx, application)
	if err != nil {
		return nil, fmt.Errorf("reading who may use an application: %w", err)
	}
	return t, nil
}

// A querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, arguments ...any) (*sql.Rows, error)
}

func readTenant(ctx context.Context, from querier, application string) (*Tenant, error) {
	rows, err := from.QueryContext(ctx, "SELECT a.uid, a.resource_version, a.deleted IS NOT NULL, a.owner, a.heir, m.member, m.role "+
		"FROM applications a LEFT JOIN application_members m ON m.application = a.name WHERE a.name = $1", application)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var t *Tenant
	for rows.Next() {
		if t == nil {
			t = &Tenant{Application: application, Members: map[string]string{}}
		}
		var member, role sql.NullString
		if err := rows.Scan(&t.UID, &t.ResourceVersion, &t.Deleting, &t.Owner, &t.Heir, &member, &role); err != nil {
			return nil, err
		}
		if member.Valid {
			t.Members[member.String] = role.String
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errNoApplication
	}
	return t, nil
}

// UpdateTenant lets a function change the owner, the heir and the members of an application that exists
// (registry.ErrNotFound) and is the expected one (ErrExpectation). The function runs in the transaction, perhaps more
// than once, sees what is stored, and its error ends it: it is the place to decide whether the change is permitted. A new
// owner or other members give the application a new resource version, and are a change of its metadata.
func (s *Store) UpdateTenant(ctx context.Context, application string, expect Expect, change func(*Tenant) error) ([]registry.Change, error) {
	const doing = "changing who may use an application"
	if registry.ValidateApplicationName(application) != nil {
		return nil, fmt.Errorf("%s: %w", doing, errNoApplication)
	}
	return s.writing(ctx, doing, func(w *writer) error {
		current, err := w.lock(ctx, w.applications, []any{application})
		if err != nil {
			return err
		}
		if err := expect.checkApplication(current); err != nil {
			return err
		}
		before, err := readTenant(ctx, w.tx, application)
		if err != nil {
			return err
		}
		after := *before
		after.Members = maps.Clone(before.Members)
		if err := change(&after); err != nil {
			return err
		}
		return w.updateTenant(ctx, current, before, &after)
	})
}

func (w *writer) updateTenant(ctx context.Context, current *row, before, after *Tenant) error {
	if before.Owner != after.Owner || before.Heir != after.Heir {
		if _, err := w.execute(ctx, "UPDATE applications SET owner = $1, heir = $2 WHERE name = $3", after.Owner, after.Heir, current.name); err != nil {
			return err
		}
	}
	membersChanged := !maps.Equal(before.Members, after.Members)
	if membersChanged {
		if err := w.replaceMembers(ctx, current.name, after.Members); err != nil {
			return err
		}
	}
	if before.Owner == after.Owner && !membersChanged {
		return nil
	}
	return w.touch(ctx, w.applications, current)
}

func (w *writer) replaceMembers(ctx context.Context, application string, members map[string]string) error {
	if _, err := w.execute(ctx, "DELETE FROM application_members WHERE application = $1", application); err != nil {
		return err
	}
	for _, member := range slices.Sorted(maps.Keys(members)) {
		if _, err := w.execute(ctx, "INSERT INTO application_members (application, member, role) VALUES ($1, $2, $3)", application, member, members[member]); err != nil {
			return err
		}
	}
	return nil
}
