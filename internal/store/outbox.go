package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

const (
	maxPending = 1000 // entries of one read

	// settleTimeout bounds noting what was sent, which goes on when the process is being stopped.
	settleTimeout = 5 * time.Second
)

// An Entry is a change that waits in the outbox until everybody who must know of it has been told.
type Entry struct {
	Seq     int64 // grows with every change of one resource; entries of different resources may become visible out of order
	Change  registry.Change
	Created time.Time
}

// Pending reads the entries with the lowest numbers, at most limit and at most 1000. Who reads them tells others of
// the changes and then calls Sent; a crash in between has them told again. Where order matters, Relay keeps it.
func (s *Store) Pending(ctx context.Context, limit int) ([]Entry, error) {
	entries, err := pending(ctx, s.read, limit)
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	return entries, nil
}

func pending(ctx context.Context, from querier, limit int) ([]Entry, error) {
	rows, err := from.QueryContext(ctx, "SELECT seq, created, payload FROM outbox ORDER BY seq LIMIT $1", min(max(limit, 0), maxPending))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		var entry Entry
		var created int64
		var payload string
		if err := rows.Scan(&entry.Seq, &created, &payload); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(payload), &entry.Change); err != nil {
			return nil, fmt.Errorf("entry %d does not parse: %w", entry.Seq, err)
		}
		entry.Created = time.UnixMicro(created).UTC()
		entries = append(entries, entry)
	}
	return entries, rows.Err()
}

// Sent removes entries from the outbox. Those that are already gone do not matter.
func (s *Store) Sent(ctx context.Context, seqs ...int64) error {
	err := s.transactOnce(ctx, func(tx *sql.Tx) error { return clearEntries(ctx, tx, seqs) })
	if err != nil {
		return fmt.Errorf("clearing the outbox: %w", err)
	}
	return nil
}

func clearEntries(ctx context.Context, tx *sql.Tx, seqs []int64) error {
	if len(seqs) == 0 {
		return nil
	}
	parameters := make([]any, len(seqs))
	for i, seq := range seqs {
		parameters[i] = seq
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM outbox WHERE seq IN ("+placeholders(len(seqs))+")", parameters...)
	return err
}

// A Relayed tells how far a Relay came.
type Relayed struct {
	Busy bool // somebody else is relaying, and nothing was read
	Read int  // entries that were handed to send
	Sent int  // those that are done with
}

// Relay hands the entries with the lowest numbers, at most limit and at most 1000, to a function that sends them, and
// removes those whose numbers it returns. Of all processes one does so at a time: whoever sends the entries of a
// resource in their order, and none after one that failed, keeps that order for those who hear of them. What was sent
// and not removed, because the process or the database died in between, is sent again, in the same order.
//
// Relay returns when send does. The context is send's; what send returns is removed even if that has ended.
func (s *Store) Relay(ctx context.Context, limit int, send func(context.Context, []Entry) []int64) (done Relayed, err error) {
	if s.dialect.TryLock == "" {
		done, err = s.relayAlone(ctx, limit, send)
	} else {
		done, err = s.relayLocked(ctx, limit, send)
	}
	if err != nil {
		return done, fmt.Errorf("relaying the outbox: %w", err)
	}
	return done, nil
}

// relayLocked holds a lock of the database, which goes with the transaction and so with the connection: a process that
// dies holds up nobody.
func (s *Store) relayLocked(ctx context.Context, limit int, send func(context.Context, []Entry) []int64) (done Relayed, err error) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	tx, err := s.write.BeginTx(lasting, nil)
	if err != nil {
		return done, fmt.Errorf("beginning a transaction: %w", err)
	}
	defer tx.Rollback()
	var locked bool
	if err := tx.QueryRowContext(ctx, s.dialect.TryLock).Scan(&locked); err != nil || !locked {
		return Relayed{Busy: err == nil}, err
	}
	entries, err := pending(ctx, tx, limit)
	if err != nil || len(entries) == 0 {
		return done, err
	}
	seqs := send(ctx, entries)
	settling, cancelSettling := context.WithTimeout(lasting, settleTimeout)
	defer cancelSettling()
	if err := clearEntries(settling, tx, seqs); err != nil {
		return Relayed{Read: len(entries)}, err
	}
	return Relayed{Read: len(entries), Sent: len(seqs)}, tx.Commit()
}

// relayAlone is for a database that only one process uses: a transaction would keep everybody else from writing.
func (s *Store) relayAlone(ctx context.Context, limit int, send func(context.Context, []Entry) []int64) (done Relayed, err error) {
	if !s.relaying.TryLock() {
		return Relayed{Busy: true}, nil
	}
	defer s.relaying.Unlock()
	entries, err := pending(ctx, s.read, limit)
	if err != nil || len(entries) == 0 {
		return done, err
	}
	seqs := send(ctx, entries)
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := s.Sent(settling, seqs...); err != nil {
		return Relayed{Read: len(entries)}, err
	}
	return Relayed{Read: len(entries), Sent: len(seqs)}, nil
}

// Waiting counts the entries of the outbox, up to a limit beyond which it does not go on counting.
func (s *Store) Waiting(ctx context.Context, limit int) (entries int, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM outbox LIMIT $1) o", limit).Scan(&entries)
	if err != nil {
		return 0, fmt.Errorf("counting the outbox: %w", err)
	}
	return entries, nil
}
