package store

import (
	"context"
	"database/sql"
	"sync"
)

// A statement is a query that is prepared when it is first used, unless the driver caches statements itself.
type statement struct {
	text         string
	driverCaches bool

	mu       sync.Mutex
	prepared *sql.Stmt
}

func (q *statement) row(ctx context.Context, db *sql.DB, arguments ...any) *sql.Row {
	if q.driverCaches {
		return db.QueryRowContext(ctx, q.text, arguments...)
	}
	prepared, err := q.prepare(ctx, db)
	if err != nil {
		// The plain query meets the same error, if it lasts, and reports it.
		return db.QueryRowContext(ctx, q.text, arguments...)
	}
	return prepared.QueryRowContext(ctx, arguments...)
}

func (q *statement) prepare(ctx context.Context, db *sql.DB) (*sql.Stmt, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.prepared != nil {
		return q.prepared, nil
	}
	prepared, err := db.PrepareContext(ctx, q.text)
	if err != nil {
		return nil, err
	}
	q.prepared = prepared
	return prepared, nil
}

func (q *statement) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.prepared != nil {
		_ = q.prepared.Close()
		q.prepared = nil
	}
}
