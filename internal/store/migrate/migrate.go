// Package migrate brings a database's schema to the version that internal/store needs. It is a package of its own so
// that functions, which only check the version, carry neither the schema nor what applies it.
package migrate

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/fairlead/fairlead/internal/store"
)

//go:embed schema/*.sql
var schema embed.FS

// Up applies what is missing, each file in a transaction of its own. It is safe to call from several processes at
// once on PostgreSQL, and from one process at a time on a SQLite file. When nothing is missing it changes nothing.
func Up(ctx context.Context, s *store.Store) error {
	db, dialect := s.Database()
	migrations, err := load(dialect)
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{
		goose.WithTableName(store.VersionTable),
		goose.WithGoMigrations(migrations...),
		goose.WithDisableGlobalRegistry(true),
	}
	if dialect.ForUpdate != "" {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("migrating the registry's schema: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(goose.Dialect(dialect.Name), db, nil, options...)
	if err != nil {
		return fmt.Errorf("migrating the registry's schema: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the registry's schema: %w", err)
	}
	return nil
}

// load makes a migration of every file, in the words of the dialect.
func load(dialect store.Dialect) ([]*goose.Migration, error) {
	files, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		return nil, fmt.Errorf("listing the schema's files: %w", err)
	}
	words := strings.NewReplacer(dialect.Types...)
	fills := map[int64]func(context.Context, *sql.Tx) error{2: fillLabels, 3: drawSecrets}
	migrations := make([]*goose.Migration, len(files))
	for i, file := range files {
		version, err := goose.NumericComponent(path.Base(file))
		if err != nil {
			return nil, fmt.Errorf("schema file %s: %w", file, err)
		}
		text, err := schema.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("schema file %s: %w", file, err)
		}
		statements, fill := words.Replace(string(text)), fills[version]
		migrations[i] = goose.NewGoMigration(version, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, statements); err != nil || fill == nil {
				return err
			}
			return fill(ctx, tx)
		}}, nil)
	}
	return migrations, nil
}
