package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/registry"
)

// CreateApplication stores a new application that belongs to the owner, a user's ID. A name that is taken is
// ErrConflict. The store sets what it sets in ApplyApplication.
func (s *Store) CreateApplication(ctx context.Context, a *registry.Application, owner string) ([]registry.Change, error) {
	next, err := draftApplication(a)
	if err != nil {
		return nil, fmt.Errorf("creating an application: %w", err)
	}
	return s.writing(ctx, "creating an application", func(w *writer) error {
		if err := w.create(ctx, w.applications, next, taken(registry.AliasName)); err != nil {
			return err
		}
		if owner == "" {
			return nil
		}
		_, err := w.execute(ctx, "UPDATE applications SET owner = $1 WHERE name = $2", owner, next.name)
		return err
	})
}

// CreateDevice stores a new device. A name or alias that is taken is ErrConflict. The application must exist, be the
// expected one and not be in deletion (ErrReference). Devices of one application that are created at the same time share a
// transaction, as long as nothing is wrong with any of them.
func (s *Store) CreateDevice(ctx context.Context, d *registry.Device, expect Expect) ([]registry.Change, error) {
	next, err := draftDevice(d)
	if err != nil {
		return nil, fmt.Errorf("creating a device: %w", err)
	}
	c := &creation{draft: next, applicationUID: expect.ApplicationUID}
	if err := s.creations.Do(ctx, c); err != nil {
		return nil, fmt.Errorf("creating a device: %w", err)
	}
	if c.alone {
		c.run(ctx, s)
	}
	if c.err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("creating a device: %w", ctx.Err()) // and not that of the group's context
	}
	return c.changes, c.err
}

// fresh is the row of a document that is created now.
func (d *draft) fresh() row {
	next := d.row // a transaction that is tried again starts from the draft
	next.uid = uuid.NewString()
	next.created = time.Now().UnixMicro()
	next.generation, next.revision, next.resourceVersion = 1, 1, uuid.NewString()
	return next
}

// create inserts a document. If there is one of that name it returns the given error.
func (w *writer) create(ctx context.Context, c *collection, d *draft, exists error) error {
	next := d.fresh()
	inserted, err := w.insert(ctx, &c.insert, [][]any{next.values()})
	if err != nil {
		return err
	}
	if inserted == 0 {
		return exists
	}
	if err := w.claim(ctx, c, &next, d.aliases); err != nil {
		return err
	}
	if err := w.relabel(ctx, c, &next, ""); err != nil {
		return err
	}
	return w.record(ctx, c, &next, event{aliases: d.names(), paths: everything()})
}

func (w *writer) claim(ctx context.Context, c *collection, r *row, aliases []registry.Alias) error {
	for _, alias := range aliases {
		claimed, err := w.insert(ctx, &c.claim, [][]any{append([]any{alias.Value}, r.key()...)})
		if err != nil {
			return err
		}
		if claimed == 0 {
			return taken(alias.Kind)
		}
	}
	return nil
}
