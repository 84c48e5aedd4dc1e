package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fairlead/fairlead/internal/registry"
)

// FinalizerDevices keeps an application that is being deleted until its last device is gone.
const FinalizerDevices = "has-devices"

// DeleteDevice removes a device, or, if it has finalizers, notes that it is being deleted. It returns what changed. If
// the device was the last one of an application that is being deleted, the application may go with it. A device that
// is already being deleted is registry.ErrNotFound.
func (s *Store) DeleteDevice(ctx context.Context, application, name string) ([]registry.Change, error) {
	return s.DeleteDeviceIf(ctx, application, name, Expect{})
}

// DeleteDeviceIf is DeleteDevice for the expected device only (ErrExpectation) of the expected application
// (ErrReference).
func (s *Store) DeleteDeviceIf(ctx context.Context, application, name string, expect Expect) ([]registry.Change, error) {
	const doing = "deleting a device"
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
		if current.deleted.Valid && current.finalizers != "" {
			return errNoDevice
		}
		if err := expect.check(current); err != nil {
			return err
		}
		if current.finalizers == "" {
			return w.removeAndSettle(ctx, w.devices, current, deleting)
		}
		return w.mark(ctx, w.devices, current)
	})
}

// DeleteApplication removes an application with all its devices that have no finalizers. What has finalizers stays and
// is in deletion: the application also as long as it has devices. It returns what changed, one change for each removed
// device among it, since a later application of the same name must not inherit what is cached of them.
//
// Many devices take several transactions. If one of them fails, the returned error comes with the changes of those
// before it, and another call, or Sweep, goes on from there. An application that is already being deleted and has nothing left to
// remove is registry.ErrNotFound.
func (s *Store) DeleteApplication(ctx context.Context, name string) ([]registry.Change, error) {
	return s.DeleteApplicationIf(ctx, name, Expect{})
}

// DeleteApplicationIf is DeleteApplication for the expected application only (ErrExpectation).
func (s *Store) DeleteApplicationIf(ctx context.Context, name string, expect Expect) ([]registry.Change, error) {
	const doing = "deleting an application"
	if registry.ValidateApplicationName(name) != nil {
		return nil, fmt.Errorf("%s: %w", doing, errNoApplication)
	}
	var all []registry.Change
	for {
		more, uid := false, ""
		changes, err := s.writing(ctx, doing, func(w *writer) error {
			var err error
			more, uid, err = w.deleteApplication(ctx, name, &expect)
			return err
		})
		if err == nil && len(changes) == 0 {
			err = fmt.Errorf("%s: %w", doing, errNoApplication)
		}
		if err != nil && (len(all) == 0 || !errors.Is(err, registry.ErrNotFound)) {
			return all, err
		}
		all = append(all, changes...)
		if !more || err != nil {
			return all, nil
		}
		// The next transaction is about the same application, whose version this one changed.
		expect = Expect{ApplicationUID: uid}
	}
}

// deleteApplication goes as far as one transaction goes, and tells whether another one is needed.
func (w *writer) deleteApplication(ctx context.Context, name string, expect *Expect) (more bool, uid string, err error) {
	current, err := w.lock(ctx, w.applications, []any{name})
	if err != nil {
		return false, "", err
	}
	if err := expect.checkApplication(current); err != nil {
		return false, "", err
	}
	more, err = w.deleteDevices(ctx, name)
	if err != nil {
		return false, "", err
	}
	if current.deleted.Valid {
		return more, current.uid, w.settle(ctx, name)
	}
	if err := w.keepForDevices(ctx, current); err != nil {
		return false, "", err
	}
	if current.finalizers == "" {
		return false, current.uid, w.remove(ctx, w.applications, current)
	}
	return more, current.uid, w.mark(ctx, w.applications, current)
}

// keepForDevices sets or removes the finalizer of an application, by whether it has devices.
func (w *writer) keepForDevices(ctx context.Context, application *row) error {
	var exist bool
	err := w.tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM devices WHERE application = $1)", application.name).Scan(&exist)
	if err != nil {
		return err
	}
	var finalizers []string
	if application.finalizers != "" {
		if err := json.Unmarshal([]byte(application.finalizers), &finalizers); err != nil {
			return fmt.Errorf("finalizers of application %q do not parse", application.name)
		}
	}
	if exist == slices.Contains(finalizers, FinalizerDevices) {
		return nil
	}
	if exist {
		finalizers = append(finalizers, FinalizerDevices)
	} else {
		finalizers = slices.DeleteFunc(finalizers, func(f string) bool { return f == FinalizerDevices })
	}
	application.finalizers = ""
	if len(finalizers) == 0 {
		return nil
	}
	application.finalizers, err = encodePart(finalizers)
	return err
}

// removeAndSettle removes a document, and then the application of a device if it only waited for that.
func (w *writer) removeAndSettle(ctx context.Context, c *collection, r *row, applicationDeleting bool) error {
	if err := w.remove(ctx, c, r); err != nil {
		return err
	}
	if c != w.devices || !applicationDeleting {
		return nil
	}
	return w.settle(ctx, r.application)
}

// settle takes an application that is being deleted to where it belongs: gone, if neither devices nor finalizers are
// left.
func (w *writer) settle(ctx context.Context, name string) error {
	current, err := w.lock(ctx, w.applications, []any{name})
	if err != nil {
		return err
	}
	before := current.finalizers
	if err := w.keepForDevices(ctx, current); err != nil {
		return err
	}
	if current.finalizers == "" {
		return w.remove(ctx, w.applications, current)
	}
	if current.finalizers == before {
		return nil
	}
	return w.touch(ctx, w.applications, current)
}

// mark notes that a document is being deleted.
func (w *writer) mark(ctx context.Context, c *collection, r *row) error {
	r.deleted.Int64, r.deleted.Valid = time.Now().UnixMicro(), true
	return w.touch(ctx, c, r)
}

// touch stores a document whose metadata changed.
func (w *writer) touch(ctx context.Context, c *collection, r *row) error {
	r.revision, r.resourceVersion = r.revision+1, uuid.NewString()
	if _, err := w.execute(ctx, c.update, r.values()...); err != nil {
		return err
	}
	aliases, err := w.aliases(ctx, c, r)
	if err != nil {
		return err
	}
	return w.record(ctx, c, r, event{aliases: aliases, paths: []string{registry.MetadataChanged}})
}

func (w *writer) remove(ctx context.Context, c *collection, r *row) error {
	aliases, err := w.aliases(ctx, c, r)
	if err != nil {
		return err
	}
	indexed := *r
	indexed.labels = ""
	if err := w.relabel(ctx, c, &indexed, r.labels); err != nil {
		return err
	}
	for _, statement := range []string{c.releaseAll, c.remove} {
		if _, err := w.execute(ctx, statement, r.key()...); err != nil {
			return err
		}
	}
	r.revision++
	return w.record(ctx, c, r, event{aliases: aliases, paths: everything(), deleted: true})
}
