package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/registry"
)

// UpdateApplication lets a function change an application that exists (registry.ErrNotFound) and is the expected one
// (ErrExpectation). The function sees the stored document and may change its labels, annotations, finalizers,
// specification and status; it runs in the transaction, perhaps more than once, and its error ends it. What it changes
// of the rest is the store's and ignored, except for the name, which cannot change. If the application is being
// deleted and its last finalizer is gone, it is removed.
func (s *Store) UpdateApplication(ctx context.Context, name string, expect Expect, change func(*registry.Application) error) ([]registry.Change, error) {
	const doing = "changing an application"
	if registry.ValidateApplicationName(name) != nil {
		return nil, fmt.Errorf("%s: %w", doing, errNoApplication)
	}
	return s.writing(ctx, doing, func(w *writer) error {
		current, err := w.lock(ctx, w.applications, []any{name})
		if err != nil {
			return err
		}
		if err := expect.checkApplication(current); err != nil {
			return err
		}
		var a registry.Application
		if err := current.decode(&a.Metadata, &a.Spec, &a.Status); err != nil {
			return err
		}
		if err := change(&a); err != nil {
			return err
		}
		next, err := draftApplication(&a)
		if err != nil {
			return err
		}
		return w.update(ctx, w.applications, current, next, false)
	})
}

// UpdateDevice lets a function change a device, as UpdateApplication does. An application that does not exist or is not
// the expected one is ErrReference.
func (s *Store) UpdateDevice(ctx context.Context, application, name string, expect Expect, change func(*registry.Device) error) ([]registry.Change, error) {
	const doing = "changing a device"
	if registry.ValidateApplicationName(application) != nil || registry.ValidateDeviceName(name) != nil {
		return nil, fmt.Errorf("%s: %w", doing, errNoDevice)
	}
	return s.writing(ctx, doing, func(w *writer) error {
		deleting, err := w.shareApplication(ctx, application, &expect)
		if err != nil {
			return err
		}
		current, err := w.lock(ctx, w.devices, []any{name, application})
		if err != nil {
			return err
		}
		if err := expect.check(current); err != nil {
			return err
		}
		var d registry.Device
		if err := current.decode(&d.Metadata, &d.Spec, &d.Status); err != nil {
			return err
		}
		if err := change(&d); err != nil {
			return err
		}
		next, err := draftDevice(&d)
		if err != nil {
			return err
		}
		return w.update(ctx, w.devices, current, next, deleting)
	})
}

// update takes a document to what the draft says, or removes it if only a finalizer kept it.
func (w *writer) update(ctx context.Context, c *collection, current *row, d *draft, applicationDeleting bool) error {
	if d.name != current.name || d.application != current.application {
		return invalid(errors.New("metadata.name: cannot be changed"))
	}
	next := d.row
	if current.deleted.Valid {
		if c == w.applications {
			if err := w.keepForDevices(ctx, &next); err != nil {
				return err
			}
		}
		if next.finalizers == "" {
			return w.removeAndSettle(ctx, c, current, applicationDeleting)
		}
	}
	paths := changedPaths(current, &next)
	if len(paths) == 0 {
		return nil
	}
	next.uid, next.created, next.deleted = current.uid, current.created, current.deleted
	next.generation = current.generation
	if slices.ContainsFunc(paths, ofSpecification) {
		next.generation++
	}
	next.revision, next.resourceVersion = current.revision+1, uuid.NewString()
	if _, err := w.execute(ctx, c.update, next.values()...); err != nil {
		return err
	}
	if err := w.relabel(ctx, c, &next, current.labels); err != nil {
		return err
	}
	names, err := w.rename(ctx, c, &next, d)
	if err != nil {
		return err
	}
	return w.record(ctx, c, &next, event{aliases: names, paths: paths})
}

// rename takes the stored aliases to those of the draft, and returns all that the document had or has.
func (w *writer) rename(ctx context.Context, c *collection, r *row, d *draft) ([]string, error) {
	old, err := w.aliases(ctx, c, r)
	if err != nil {
		return nil, err
	}
	names := d.names()
	if slices.Equal(old, names) {
		return names, nil
	}
	if _, err := w.execute(ctx, c.releaseAll, r.key()...); err != nil {
		return nil, err
	}
	if err := w.claim(ctx, c, r, d.aliases); err != nil {
		return nil, err
	}
	all := slices.Concat(names, old)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// shareApplication keeps an application from being changed until the transaction ends, and tells whether it is being
// deleted.
func (w *writer) shareApplication(ctx context.Context, name string, expect *Expect) (deleting bool, err error) {
	var uid string
	var deleted sql.NullInt64
	err = w.tx.QueryRowContext(ctx, "SELECT uid, deleted FROM applications WHERE name = $1"+w.dialect.ForShare, name).Scan(&uid, &deleted)
	if errors.Is(err, sql.ErrNoRows) || (err == nil && expect.ApplicationUID != "" && expect.ApplicationUID != uid) {
		return false, ErrReference
	}
	return deleted.Valid, err
}
