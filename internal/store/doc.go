// Package store keeps the registry's documents in a relational database, PostgreSQL or SQLite, behind one schema and
// one code path.
//
// The package imports no database driver, so that a function that uses PostgreSQL does not carry SQLite: a Store is
// opened by internal/store/postgres or internal/store/sqlite. Functions never change the schema; internal/store/migrate
// does, and [Store.Ready] says no while the schema is missing or older than this code.
//
// Every write changes its document, the table of aliases and the outbox in one transaction. What a write changed is
// returned as a list of [registry.Change] and is also kept in the outbox until [Store.Sent], so that a crash between
// commit and notification loses nothing.
//
// Documents hold credentials: hashes, but also plain passwords and pre-shared keys. No error of this package repeats any
// part of a document except names that the caller gave.
package store
