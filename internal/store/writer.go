package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// errRaced has the transaction tried again: what it had seen is no longer so.
var errRaced = errors.New("another writer was faster")

// A writer is one transaction that changes documents. It keeps the changes that it wrote to the outbox.
type writer struct {
	*Store
	tx      *sql.Tx
	changes []registry.Change
}

// writing runs a function in a transaction and returns what it changed, once that is committed. An error says what was
// being done.
func (s *Store) writing(ctx context.Context, doing string, run func(*writer) error) ([]registry.Change, error) {
	var changes []registry.Change
	err := s.transact(ctx, func(tx *sql.Tx) error {
		w := &writer{Store: s, tx: tx}
		err := run(w)
		changes = w.changes
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return changes, nil
}

func (w *writer) execute(ctx context.Context, statement string, arguments ...any) (affected int64, err error) {
	result, err := w.tx.ExecContext(ctx, statement, arguments...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// lock reads a document by name and keeps others from changing it until the transaction ends.
func (w *writer) lock(ctx context.Context, c *collection, key []any) (*row, error) {
	var current row
	err := current.scan(w.tx.QueryRowContext(ctx, c.lock, key...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, c.notFound
	}
	return &current, err
}

// aliases lists the stored aliases of a document, sorted by their bytes.
func (w *writer) aliases(ctx context.Context, c *collection, r *row) ([]string, error) {
	return list(ctx, w.tx, c.aliases, r.key()...)
}

// list reads one column of text.
func list(ctx context.Context, from querier, query string, arguments ...any) ([]string, error) {
	rows, err := from.QueryContext(ctx, query, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// An event is what a change says besides which document it is about.
type event struct {
	aliases []string // all names that the document had or has, sorted by their bytes
	paths   []string
	deleted bool
}

// change says what became of a document.
func (c *collection) change(r *row, e event) registry.Change {
	if len(e.paths) > maxPaths {
		e.paths = everything()
	}
	change := registry.Change{
		Kind:        c.kind,
		Application: r.name,
		UID:         r.uid,
		Revision:    uint64(r.revision),
		Deleted:     e.deleted,
		Aliases:     e.aliases,
		Paths:       e.paths,
	}
	if c.kind == registry.DeviceChanged {
		change.Application, change.Device = r.application, r.name
	}
	return change
}

// record writes a change to the outbox.
func (w *writer) record(ctx context.Context, c *collection, r *row, e event) error {
	return w.recordAll(ctx, []registry.Change{c.change(r, e)})
}

// outbox is where changes wait to be told.
var outbox = insertion{table: "outbox", columns: []string{"kind", "application", "device", "uid", "revision", "created", "payload"}}

// recordAll writes changes to the outbox in their order.
func (w *writer) recordAll(ctx context.Context, changes []registry.Change) error {
	now := time.Now().UnixMicro()
	rows := make([][]any, len(changes))
	for i, change := range changes {
		payload, err := json.Marshal(change)
		if err != nil {
			return fmt.Errorf("encoding a change: %w", err)
		}
		rows[i] = []any{string(change.Kind), change.Application, change.Device, change.UID, int64(change.Revision), now, string(payload)}
	}
	_, err := w.insert(ctx, &outbox, rows)
	w.changes = append(w.changes, changes...)
	return err
}
