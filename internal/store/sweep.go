package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
)

const (
	deleteBatch = 100 // devices that one transaction deletes
	sweepBatch  = 100 // applications that one sweep looks at
)

// Sweep goes on with deletions that were not ended, because the process died or the request that began them had no more
// time: for each application that is being deleted it removes some of the devices that have no finalizers, and the
// application itself if nothing keeps it. It returns what changed, and whether there may be more to do at once.
func (s *Store) Sweep(ctx context.Context) (changes []registry.Change, more bool, err error) {
	const doing = "going on with deletions"
	names, err := s.deleting(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", doing, err)
	}
	for _, name := range names {
		unfinished := false
		some, err := s.writing(ctx, doing, func(w *writer) error {
			current, err := w.lock(ctx, w.applications, []any{name})
			if errors.Is(err, registry.ErrNotFound) {
				return nil // somebody else has ended it
			}
			if err != nil || !current.deleted.Valid {
				return err
			}
			unfinished, err = w.deleteDevices(ctx, name)
			if err != nil {
				return err
			}
			return w.settle(ctx, name)
		})
		if err != nil {
			return changes, false, err
		}
		changes = append(changes, some...)
		more = more || unfinished
	}
	return changes, more, nil
}

// deleting lists applications that are being deleted.
func (s *Store) deleting(ctx context.Context) ([]string, error) {
	return list(ctx, s.read, "SELECT name FROM applications WHERE deleted IS NOT NULL ORDER BY name LIMIT $1", sweepBatch)
}

// deleteDevices removes devices that have no finalizers, and tells whether there may be more of them. The application is
// locked, so that nobody else writes any of them.
func (w *writer) deleteDevices(ctx context.Context, application string) (more bool, err error) {
	devices, err := w.deletable(ctx, application)
	if err != nil || len(devices) == 0 {
		return false, err
	}
	names := make([]any, 1, len(devices)+1)
	names[0] = application
	for _, d := range devices {
		names = append(names, d.name)
	}
	aliases, err := w.aliasesOf(ctx, names)
	if err != nil {
		return false, err
	}
	if err := w.unlabelAll(ctx, devices, names); err != nil {
		return false, err
	}
	in := " WHERE application = $1 AND name IN (" + placeholdersFrom(1, len(devices)) + ")"
	for _, table := range []string{"device_aliases", "devices"} {
		if _, err := w.execute(ctx, "DELETE FROM "+table+in, names...); err != nil {
			return false, err
		}
	}
	changes := make([]registry.Change, len(devices))
	for i, d := range devices {
		d.revision++
		changes[i] = w.devices.change(d, event{aliases: aliases[d.name], paths: everything(), deleted: true})
	}
	return len(devices) == deleteBatch, w.recordAll(ctx, changes)
}

func (w *writer) deletable(ctx context.Context, application string) (devices []*row, err error) {
	rows, err := w.tx.QueryContext(ctx, "SELECT "+w.devices.read+" FROM devices d WHERE d.application = $1 AND d.finalizers = '' ORDER BY d.name LIMIT $2", application, deleteBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		devices = append(devices, &r)
	}
	return devices, rows.Err()
}

// aliasesOf finds the aliases of devices, sorted by their bytes. The first parameter is the application.
func (w *writer) aliasesOf(ctx context.Context, names []any) (map[string][]string, error) {
	rows, err := w.tx.QueryContext(ctx, "SELECT name, alias FROM device_aliases WHERE application = $1 AND name IN ("+placeholdersFrom(1, len(names)-1)+") ORDER BY alias", names...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string][]string{}
	for rows.Next() {
		var name, alias string
		if err := rows.Scan(&name, &alias); err != nil {
			return nil, err
		}
		all[name] = append(all[name], alias)
	}
	return all, rows.Err()
}

// unlabelAll removes devices from the index of labels.
func (w *writer) unlabelAll(ctx context.Context, devices []*row, names []any) error {
	present := map[string]bool{}
	for _, d := range devices {
		of, err := labels(d.labels)
		if err != nil {
			return err
		}
		for key := range of {
			present[key] = true
		}
	}
	keys := make([]string, 0, len(present))
	for key := range present {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for some := range slices.Chunk(keys, deleteBatch) {
		parameters := slices.Clone(names)
		for _, key := range some {
			parameters = append(parameters, key)
		}
		statement := strings.Join([]string{
			"DELETE FROM device_labels WHERE application = $1 AND name IN (", placeholdersFrom(1, len(names)-1),
			") AND key IN (", placeholdersFrom(len(names), len(some)), ")",
		}, "")
		if _, err := w.execute(ctx, statement, parameters...); err != nil {
			return err
		}
	}
	return nil
}
