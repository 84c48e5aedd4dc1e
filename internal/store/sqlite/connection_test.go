package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

func database(t *testing.T) *sql.DB {
	t.Helper()
	db := open(filepath.Join(t.TempDir(), "x.db"), 1)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	execute(t, db, "CREATE TABLE x (n BIGINT PRIMARY KEY)")
	return db
}

type executor interface {
	Exec(query string, arguments ...any) (sql.Result, error)
	Query(query string, arguments ...any) (*sql.Rows, error)
}

func execute(t *testing.T, in executor, query string, arguments ...any) {
	t.Helper()
	if _, err := in.Exec(query, arguments...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// numbers reads a column, and calls a function at each row.
func numbers(t *testing.T, in executor, query string, each func(n int)) (all []int) {
	t.Helper()
	rows, err := in.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
		each(n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A statement that is in use is not used by somebody else.
func TestStatementWithinItself(t *testing.T) {
	tx, err := database(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for n := range 3 {
		execute(t, tx, "INSERT INTO x VALUES ($1)", n)
	}
	const query = "SELECT n FROM x ORDER BY n"
	for range 2 {
		outer := numbers(t, tx, query, func(int) {
			if inner := numbers(t, tx, query, func(int) {}); len(inner) != 3 {
				t.Errorf("the inner one read %v", inner)
			}
		})
		if len(outer) != 3 {
			t.Errorf("the outer one read %v", outer)
		}
	}
}

func TestManyStatements(t *testing.T) {
	db := database(t)
	for range 2 {
		for n := range 2 * maxStatements {
			query := fmt.Sprintf("SELECT %d", n)
			if got := numbers(t, db, query, func(int) {}); len(got) != 1 || got[0] != n {
				t.Errorf("%s: %v", query, got)
			}
		}
	}
}

// A statement that failed, or that was prepared for another schema, works the next time.
func TestStatementsAreUsedAgain(t *testing.T) {
	db := database(t)
	const insert, all = "INSERT INTO x (n) VALUES ($1)", "SELECT * FROM x"
	execute(t, db, insert, 1)
	if _, err := db.Exec(insert, 1); err == nil {
		t.Error("a key was inserted twice")
	}
	if got := numbers(t, db, all, func(int) {}); len(got) != 1 {
		t.Errorf("%v", got)
	}
	execute(t, db, "DROP TABLE x")
	execute(t, db, "CREATE TABLE x (other TEXT, n BIGINT)")
	execute(t, db, insert, 1)
	execute(t, db, "ALTER TABLE x DROP COLUMN other")
	if got := numbers(t, db, all, func(int) {}); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
