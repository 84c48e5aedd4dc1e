package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Position is how far a work has come that goes through all applications in several runs, "" if it is at the beginning.
func (s *Store) Position(ctx context.Context, work string) (after string, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT name FROM positions WHERE work = $1", work).Scan(&after)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("reading a position: %w", err)
	}
	return after, nil
}

// SetPosition notes how far a work has come.
func (s *Store) SetPosition(ctx context.Context, work, after string) error {
	err := s.transactOnce(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO positions (work, name) VALUES ($1, $2) ON CONFLICT (work) DO UPDATE SET name = excluded.name", work, after)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting a position: %w", err)
	}
	return nil
}
