package store

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
)

// Exclusive runs a function while nobody else runs one under the same name, in whatever process, and waits until it may: as long as ctx
// lasts. A process that dies holds up nobody. Who loses the connection to the database meanwhile loses the right, too, and does not
// hear of it; so the function has to bear another one beside it then.
//
// Of one process one such function runs at a time, whatever its name, and holds a connection for as long.
func (s *Store) Exclusive(ctx context.Context, name string, run func(context.Context) error) error {
	select {
	case s.exclusive <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.exclusive }()
	if s.dialect.Lock == "" {
		return run(ctx)
	}
	return s.transactOnce(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, s.dialect.Lock, lockKey(name)); err != nil {
			return fmt.Errorf("waiting for the lock of %s: %w", name, err)
		}
		return run(ctx)
	})
}

// lockKey is a number for a name. Names that share one wait for each other.
func lockKey(name string) int32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name))
	return int32(hash.Sum32())
}
