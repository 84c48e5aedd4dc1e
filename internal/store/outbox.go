package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

const maxPending = 1000 // entries of one read

// An Entry is a change that waits in the outbox until everybody who must know of it has been told.
type Entry struct {
	Seq     int64 // grows with every change of one resource; entries of different resources may become visible out of order
	Change  registry.Change
	Created time.Time
}

// Pending reads the entries with the lowest numbers, at most limit and at most 1000. Who reads them tells others of
// the changes and then calls Sent; a crash in between has them told again.
func (s *Store) Pending(ctx context.Context, limit int) ([]Entry, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT seq, created, payload FROM outbox ORDER BY seq LIMIT $1", min(max(limit, 0), maxPending))
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var entry Entry
		var created int64
		var payload string
		if err := rows.Scan(&entry.Seq, &created, &payload); err != nil {
			return nil, fmt.Errorf("reading the outbox: %w", err)
		}
		if err := json.Unmarshal([]byte(payload), &entry.Change); err != nil {
			return nil, fmt.Errorf("entry %d of the outbox does not parse: %w", entry.Seq, err)
		}
		entry.Created = time.UnixMicro(created).UTC()
		entries = append(entries, entry)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	return entries, nil
}

// Sent removes entries from the outbox. Those that are already gone do not matter.
func (s *Store) Sent(ctx context.Context, seqs ...int64) error {
	if len(seqs) == 0 {
		return nil
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("clearing the outbox: %w", err)
	}
	defer tx.Rollback()
	for _, seq := range seqs {
		if _, err := tx.ExecContext(ctx, "DELETE FROM outbox WHERE seq = $1", seq); err != nil {
			return fmt.Errorf("clearing the outbox: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("clearing the outbox: %w", err)
	}
	return nil
}
