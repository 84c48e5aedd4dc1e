package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"modernc.org/sqlite"
)

// maxStatements is how many prepared statements a connection keeps.
const maxStatements = 128

// A connector opens connections that keep their prepared statements: preparing one anew takes longer than running it.
type connector struct{ name string }

var _ driver.Connector = connector{}

// Driver is that of the connections.
func (connector) Driver() driver.Driver { return &sqlite.Driver{} }

// Connect opens a connection.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.Driver().Open(c.name)
	if err != nil {
		return nil, err
	}
	able, ok := opened.(wrapped)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection to SQLite is a %T, which does not have all that is needed", opened), opened.Close())
	}
	statements, err := simplelru.NewLRU[string, prepared](maxStatements, nil)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return &connection{able, statements}, nil
}

// What the driver's own connections and statements can do.
type (
	wrapped interface {
		driver.Conn
		driver.ConnBeginTx
		driver.ConnPrepareContext
		driver.Pinger
		driver.SessionResetter
		driver.Validator
	}
	prepared interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}
)

// A connection is used by one goroutine at a time.
type connection struct {
	wrapped
	statements *simplelru.LRU[string, prepared] // those that are not in use
}

var (
	_ driver.ExecerContext  = (*connection)(nil)
	_ driver.QueryerContext = (*connection)(nil)
)

// ExecContext runs a statement that returns no rows.
func (c *connection) ExecContext(ctx context.Context, query string, arguments []driver.NamedValue) (driver.Result, error) {
	statement, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := statement.ExecContext(ctx, arguments)
	if err != nil {
		return nil, errors.Join(err, statement.Close())
	}
	return result, c.keep(query, statement)
}

// QueryContext runs a statement whose rows are read later.
func (c *connection) QueryContext(ctx context.Context, query string, arguments []driver.NamedValue) (driver.Rows, error) {
	statement, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	found, err := statement.QueryContext(ctx, arguments)
	if err != nil {
		return nil, errors.Join(err, statement.Close())
	}
	return &rows{Rows: found, release: func() error { return c.keep(query, statement) }}, nil
}

// take returns a statement that nobody else uses.
func (c *connection) take(ctx context.Context, query string) (prepared, error) {
	if kept, ok := c.statements.Peek(query); ok {
		c.statements.Remove(query)
		return kept, nil
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	able, ok := made.(prepared)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a statement of SQLite is a %T, which does not have all that is needed", made), made.Close())
	}
	return able, nil
}

// keep keeps a statement for the next time, in place of the one that was used longest ago. If the same one was needed twice
// at a time, one of them is enough.
func (c *connection) keep(query string, statement prepared) error {
	if c.statements.Contains(query) {
		return statement.Close()
	}
	var err error
	if c.statements.Len() >= maxStatements {
		_, oldest, _ := c.statements.RemoveOldest()
		err = oldest.Close()
	}
	c.statements.Add(query, statement)
	return err
}

// Close closes the statements, too.
func (c *connection) Close() (err error) {
	for _, statement := range c.statements.Values() {
		err = errors.Join(err, statement.Close())
	}
	c.statements.Purge()
	return errors.Join(err, c.wrapped.Close())
}

// The rows of a statement, which is in use until they are closed.
type rows struct {
	driver.Rows
	release func() error // nil once they are
}

// Close ends the reading.
func (r *rows) Close() error {
	release := r.release
	r.release = nil
	err := r.Rows.Close()
	if release != nil {
		err = errors.Join(err, release())
	}
	return err
}
