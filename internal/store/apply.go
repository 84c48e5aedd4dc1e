package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/registry"
)

// ApplyApplication creates an application or replaces its labels, annotations, finalizers, specification and status.
// The store sets uid, creation timestamp, generation (which grows when the specification changes), resource version
// and revision, whatever the given document says of them. It returns what changed: nothing if the stored document
// already says the same. If the application is being deleted and its last finalizer is gone, it is removed. An
// application that is created in this way belongs to nobody.
func (s *Store) ApplyApplication(ctx context.Context, a *registry.Application) ([]registry.Change, error) {
	next, err := draftApplication(a)
	if err != nil {
		return nil, fmt.Errorf("storing an application: %w", err)
	}
	return s.writing(ctx, "storing an application", func(w *writer) error {
		current, err := w.lock(ctx, w.applications, next.key())
		if errors.Is(err, registry.ErrNotFound) {
			return w.create(ctx, w.applications, next, errRaced)
		}
		if err != nil {
			return err
		}
		return w.update(ctx, w.applications, current, next, false)
	})
}

// ApplyDevice creates or replaces a device, as ApplyApplication does. The application must exist, and to create a
// device it must not be in deletion (ErrReference). If a device that is in deletion was the last one of an application
// that is in deletion too, the list of changes has both.
func (s *Store) ApplyDevice(ctx context.Context, d *registry.Device) ([]registry.Change, error) {
	next, err := draftDevice(d)
	if err != nil {
		return nil, fmt.Errorf("storing a device: %w", err)
	}
	return s.writing(ctx, "storing a device", func(w *writer) error {
		deleting, err := w.shareApplication(ctx, next.application, &Expect{})
		if err != nil {
			return err
		}
		current, err := w.lock(ctx, w.devices, next.key())
		switch {
		case errors.Is(err, registry.ErrNotFound) && deleting:
			return ErrReference
		case errors.Is(err, registry.ErrNotFound):
			return w.create(ctx, w.devices, next, errRaced)
		case err != nil:
			return err
		}
		return w.update(ctx, w.devices, current, next, deleting)
	})
}
