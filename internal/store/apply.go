package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/registry"
)

// ApplyApplication creates an application or replaces its labels, annotations, finalizers, specification and status.
// The store sets uid, creation timestamp, generation (which grows when the specification changes), resource version
// and revision, whatever the given document says of them. It returns what changed: nothing if the stored document
// already says the same. If the application is being deleted and its last finalizer is gone, it is removed.
func (s *Store) ApplyApplication(ctx context.Context, a *registry.Application) ([]registry.Change, error) {
	if err := a.Validate(); err != nil {
		return nil, fmt.Errorf("storing an application: %w: %w", ErrInvalid, err)
	}
	aliases, err := a.Aliases()
	if err != nil {
		return nil, fmt.Errorf("storing an application: %w: %w", ErrInvalid, err)
	}
	for _, alias := range aliases {
		if err := checkSubject(alias); err != nil {
			return nil, fmt.Errorf("storing an application: %w: status.%s: %w", ErrInvalid, registry.SectionTrustAnchors, err)
		}
	}
	return s.apply(ctx, s.applications, &a.Metadata, a.Spec, a.Status, aliases)
}

// ApplyDevice creates or replaces a device, as ApplyApplication does. The application must exist, and to create a
// device it must not be in deletion (ErrReference). If a device that is in deletion was the last one of an application
// that is in deletion too, the list of changes has both.
func (s *Store) ApplyDevice(ctx context.Context, d *registry.Device) ([]registry.Change, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("storing a device: %w: %w", ErrInvalid, err)
	}
	aliases, err := d.Aliases()
	if err != nil {
		return nil, fmt.Errorf("storing a device: %w: %w", ErrInvalid, err)
	}
	return s.apply(ctx, s.devices, &d.Metadata, d.Spec, d.Status, aliases)
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

func (s *Store) apply(ctx context.Context, c *collection, m *registry.Metadata, spec, status registry.Sections, aliases []registry.Alias) ([]registry.Change, error) {
	document, err := encode(m, spec, status)
	if err != nil {
		return nil, fmt.Errorf("storing %s: %w", c.noun(), err)
	}
	// Everybody claims aliases in the same order, so that few writers deadlock.
	slices.SortFunc(aliases, func(a, b registry.Alias) int { return strings.Compare(a.Value, b.Value) })
	changes, err := s.writing(ctx, func(w *writer) error {
		next := *document
		return w.apply(ctx, c, &next, aliases)
	})
	if err != nil {
		return nil, fmt.Errorf("storing %s: %w", c.noun(), err)
	}
	return changes, nil
}

func (w *writer) apply(ctx context.Context, c *collection, next *row, aliases []registry.Alias) error {
	deleting := false // the application
	if c == w.devices {
		var err error
		if deleting, err = w.shareApplication(ctx, next.application); err != nil {
			return err
		}
	}
	current, err := w.lock(ctx, c, next.key())
	if errors.Is(err, registry.ErrNotFound) {
		if deleting {
			return ErrReference
		}
		return w.create(ctx, c, next, aliases)
	}
	if err != nil {
		return err
	}
	if current.deleted.Valid {
		if c == w.applications {
			if err := w.keepForDevices(ctx, next); err != nil {
				return err
			}
		}
		if next.finalizers == "" {
			return w.removeAndSettle(ctx, c, current, deleting)
		}
	}
	if next.sameContent(current) {
		return nil
	}
	return w.replace(ctx, c, current, next, aliases)
}

func (w *writer) create(ctx context.Context, c *collection, r *row, aliases []registry.Alias) error {
	r.uid = uuid.NewString()
	r.created = time.Now().UnixMicro()
	r.generation, r.revision, r.resourceVersion = 1, 1, uuid.NewString()
	inserted, err := w.execute(ctx, c.insert, r.values()...)
	if err != nil {
		return err
	}
	if inserted == 0 {
		return errRaced // somebody created it since it was looked for
	}
	if err := w.claim(ctx, c, r, aliases); err != nil {
		return err
	}
	return w.record(ctx, c, r, values(aliases), false)
}

func (w *writer) replace(ctx context.Context, c *collection, current, next *row, aliases []registry.Alias) error {
	next.uid, next.created, next.deleted = current.uid, current.created, current.deleted
	next.generation = current.generation
	if !sameJSON(current.spec, next.spec) {
		next.generation++
	}
	next.revision, next.resourceVersion = current.revision+1, uuid.NewString()
	if _, err := w.execute(ctx, c.update, next.values()...); err != nil {
		return err
	}
	old, err := w.aliases(ctx, c, next)
	if err != nil {
		return err
	}
	all := values(aliases)
	if !slices.Equal(old, all) {
		if _, err := w.execute(ctx, c.releaseAll, next.key()...); err != nil {
			return err
		}
		if err := w.claim(ctx, c, next, aliases); err != nil {
			return err
		}
		all = slices.Concat(all, old)
		slices.Sort(all)
		all = slices.Compact(all)
	}
	return w.record(ctx, c, next, all, false)
}

func (w *writer) claim(ctx context.Context, c *collection, r *row, aliases []registry.Alias) error {
	for _, alias := range aliases {
		claimed, err := w.execute(ctx, c.claim, append([]any{alias.Value}, r.key()...)...)
		if err != nil {
			return err
		}
		if claimed == 0 {
			return fmt.Errorf("%s: %w", field(alias.Kind), ErrConflict)
		}
	}
	return nil
}

// field names where in a document an alias comes from.
func field(kind registry.AliasKind) string {
	switch kind {
	case registry.AliasName:
		return "metadata.name"
	case registry.AliasUsername:
		return "spec." + registry.SectionAuthentication + ".credentials.user.username"
	case registry.AliasTrustAnchor:
		return "status." + registry.SectionTrustAnchors
	default:
		return "spec." + string(kind)
	}
}

func values(aliases []registry.Alias) []string {
	list := make([]string, len(aliases))
	for i, alias := range aliases {
		list[i] = alias.Value
	}
	return list
}

// shareApplication keeps an application from being changed until the transaction ends, and tells whether it is being
// deleted.
func (w *writer) shareApplication(ctx context.Context, name string) (deleting bool, err error) {
	var deleted sql.NullInt64
	err = w.tx.QueryRowContext(ctx, "SELECT deleted FROM applications WHERE name = $1"+w.dialect.ForShare, name).Scan(&deleted)
	if errors.Is(err, sql.ErrNoRows) {
		return false, ErrReference
	}
	return deleted.Valid, err
}
