package store

// A Dialect is what PostgreSQL and SQLite do not share. Statements are otherwise the same text for both: numbered
// parameters ($1), ON CONFLICT DO NOTHING, text and bigint columns.
type Dialect struct {
	// Name is the dialect's name to goose: "postgres" or "sqlite3".
	Name string
	// ForUpdate and ForShare end a SELECT that locks the rows it reads until the transaction ends. Both are empty
	// where there is only one writer at a time.
	ForUpdate, ForShare string
	// TryLock takes the lock on the outbox, for the rest of the transaction, and selects whether it could. It is empty
	// where only one process uses the database.
	TryLock string
	// Lock waits for the lock that a number names, an int32, and has it for the rest of the transaction. It is empty where TryLock is.
	Lock string
	// Unprepared, unless it is nil, is given to the driver before the parameters of a query that is to be planned for
	// their values, and not once for all.
	Unprepared any
	// Types replaces the few words of the schema that differ, as pairs of old and new for strings.NewReplacer.
	Types []string
	// Retry recognises an error after which the whole transaction may be tried again: a deadlock or a failed
	// serialisation.
	Retry func(error) bool
	// NoTable recognises the error for a table that does not exist.
	NoTable func(error) bool
}
