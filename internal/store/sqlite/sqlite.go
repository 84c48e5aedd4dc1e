// Package sqlite opens a registry store in one SQLite file: for a laptop and for tests. Functions that run in several
// instances use PostgreSQL.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"github.com/fairlead/fairlead/internal/store"
)

const (
	readers     = 4      // connections for reading; with a write-ahead log they do not wait for the writer
	busyTimeout = "5000" // milliseconds to wait for another process that writes
)

// Open opens the file at path and makes it if need be, readable for its owner only, since documents hold credentials.
// The folder must exist. The schema is made by internal/store/migrate. Every commit is on disk before it returns.
func Open(ctx context.Context, path string) (*store.Store, error) {
	if path == "" || path == ":memory:" {
		return nil, errors.New("opening SQLite: a path to a file is needed")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening SQLite file %s: %w", path, err)
	}
	// SQLite would make it readable for the group, and gives its log files the rights of this one.
	file, err := os.OpenFile(absolute, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening SQLite: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("opening SQLite file %s: %w", path, err)
	}
	// One writer at a time, so that none of this process ever waits for a busy file. A transaction takes the lock when
	// it begins: it could not get it later without being given up if somebody else wrote in between.
	write := open(absolute, 1, "journal_mode(wal)", "synchronous(full)", "foreign_keys(on)")
	if err := write.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening SQLite file %s: %w", path, err), write.Close())
	}
	return store.New(open(absolute, readers, "query_only(on)"), write, dialect()), nil
}

func open(path string, connections int, pragmas ...string) *sql.DB {
	parameters := url.Values{
		"_pragma": append([]string{"busy_timeout(" + busyTimeout + ")"}, pragmas...),
		"_txlock": {"immediate"},
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: parameters.Encode()}
	db := sql.OpenDB(connector{name.String()})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

func dialect() store.Dialect {
	return store.Dialect{
		Name:    "sqlite3",
		Types:   []string{"${SERIAL}", "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "${BINARY}", "COLLATE BINARY", "${POSTGRES}", "-- "},
		Retry:   func(err error) bool { return primary(err) == code.SQLITE_BUSY },
		NoTable: func(err error) bool { return primary(err) == code.SQLITE_ERROR },
	}
}

// primary is the primary result code of an error (sqlite.org/rescode.html), 0 if it has none. SQLITE_ERROR stands for
// statements that do not fit the schema.
func primary(err error) int {
	var known *sqlite.Error
	if !errors.As(err, &known) {
		return 0
	}
	return known.Code() & 0xff
}
