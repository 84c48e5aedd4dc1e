package main

import (
	"context"
	"fmt"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/postgres"
)

type migrateCommand struct {
	Database string `name:"database-url" aliases:"database" help:"URL postgres://… of the registry's database." env:"FAIRLEAD_DATABASE_URL" required:""`
}

// Run makes the schema of a registry's database, or brings it to the version of this program, which is what functions of
// the same release need. A newer schema suits the functions of the release before, so that this comes first.
func (c *migrateCommand) Run(ctx context.Context, t terminal) (err error) {
	s, err := postgres.Open(ctx, c.Database)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := migrate.Up(ctx, s); err != nil {
		return err
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "the registry's schema has version %d\n", store.SchemaVersion)
	return err
}
