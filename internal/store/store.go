package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/fairlead/fairlead/internal/gather"
)

const (
	// SchemaVersion is the version that this code needs. Migrations only ever add, so that a newer schema serves too
	// and the old release keeps running while the new one comes up.
	SchemaVersion = 5
	// VersionTable is where the migrations note what they have applied.
	VersionTable = "fairlead_schema"

	maxAttempts = 8 // of one transaction that meets deadlocks
)

// A Store reads and writes registry documents. It is safe for concurrent use.
type Store struct {
	read, write           *sql.DB
	dialect               Dialect
	applications, devices *collection
	creations             *gather.Group[*creation]
	tenants               *gather.Reads[string, *Tenant]
	relaying              sync.Mutex    // where the database has no locks of its own
	exclusive             chan struct{} // has an element while a function of Exclusive runs
}

// New makes a store of the pools for reading and for writing, which may be the same. The store closes them. It does
// not connect.
func New(read, write *sql.DB, dialect Dialect) *Store {
	s := &Store{
		read:         read,
		write:        write,
		dialect:      dialect,
		applications: newApplications(dialect),
		devices:      newDevices(dialect),
		exclusive:    make(chan struct{}, 1),
	}
	s.creations = newCreations(s)
	s.tenants = gather.NewReads(func(ctx context.Context, application string) (*Tenant, error) {
		return readTenant(ctx, s.read, application)
	})
	return s
}

// Close releases connections.
func (s *Store) Close() error {
	if s.read == s.write {
		return s.write.Close()
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// Database is the pool for writing, for the migrations.
func (s *Store) Database() (*sql.DB, Dialect) { return s.write, s.dialect }

// Reader is the pool for reading, for those who keep other things in the registry's database.
func (s *Store) Reader() *sql.DB { return s.read }

// Ready checks that the database answers and that its schema is at least the version that this code needs. The error
// is ErrSchema if only the schema is wanting.
func (s *Store) Ready(ctx context.Context) error {
	var version sql.NullInt64
	err := s.read.QueryRowContext(ctx, "SELECT MAX(version_id) FROM "+VersionTable+" WHERE is_applied = true").Scan(&version)
	if err != nil && s.dialect.NoTable(err) {
		return fmt.Errorf("registry store: %w: it has none, and this release needs version %d", ErrSchema, SchemaVersion)
	}
	if err != nil {
		return fmt.Errorf("registry store: reading the version of the schema: %w", err)
	}
	if version.Int64 < SchemaVersion {
		return fmt.Errorf("registry store: %w: it has version %d, and this release needs version %d", ErrSchema, version.Int64, SchemaVersion)
	}
	return nil
}

// transact runs a function in one transaction, again if the database gave it up for the sake of another one.
func (s *Store) transact(ctx context.Context, run func(*sql.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := s.transactOnce(ctx, run)
		if err == nil || attempt == maxAttempts || ctx.Err() != nil || !(errors.Is(err, errRaced) || s.dialect.Retry(err)) {
			return err
		}
	}
}

func (s *Store) transactOnce(ctx context.Context, run func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	defer tx.Rollback()
	if err := run(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}
