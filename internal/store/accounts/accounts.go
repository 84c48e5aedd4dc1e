package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead/internal/gather"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// Accounts are the access tokens and users of a registry. They are safe for concurrent use, and need the schema that
// store.Ready asks for.
type Accounts struct {
	store       *store.Store
	read, write *sql.DB
	retry       func(error) bool
	tokens      *gather.Reads[string, user.Token] // by hash
}

var (
	_ user.TokenStore = (*Accounts)(nil)
	_ user.Directory  = (*Accounts)(nil)
)

// New makes the accounts of a registry's store, which stays the caller's to close.
func New(s *store.Store) *Accounts {
	write, dialect := s.Database()
	a := &Accounts{store: s, read: s.Reader(), write: write, retry: dialect.Retry}
	a.tokens = gather.NewReads(a.findToken)
	return a
}

const maxAttempts = 4 // of one statement that meets a deadlock

// execute runs a statement that changes something, again if the database gave it up for the sake of another one.
func (a *Accounts) execute(ctx context.Context, statement string, arguments ...any) (affected int64, err error) {
	for attempt := 1; ; attempt++ {
		result, err := a.write.ExecContext(ctx, statement, arguments...)
		if err == nil {
			return result.RowsAffected()
		}
		if attempt == maxAttempts || !a.retry(err) {
			return 0, err
		}
	}
}

// query reads rows.
func (a *Accounts) query(ctx context.Context, each func(*sql.Rows) error, statement string, arguments ...any) error {
	rows, err := a.read.QueryContext(ctx, statement, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// notFound turns an empty result into registry.ErrNotFound.
func notFound(what string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, registry.ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
