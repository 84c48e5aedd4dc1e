package accounts

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

// RememberUser notes a user's present name, or returns user.ErrNameTaken and leaves the user as they were. A name that
// is noted already costs one read.
func (a *Accounts) RememberUser(ctx context.Context, id, name string) error {
	names, err := a.UserNames(ctx, []string{id})
	if err != nil || names[id] == name {
		return err
	}
	if _, known := names[id]; !known {
		noted, err := a.execute(ctx, "INSERT INTO users (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, name)
		if err != nil {
			return fmt.Errorf("remembering a user: %w", err)
		}
		if noted > 0 {
			return nil
		}
	}
	// Somebody may take the name between look and change. Then the change fails, and the name is theirs.
	noted, err := a.execute(ctx, "UPDATE users SET name = $2 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM users o WHERE o.name = $2 AND o.id <> $1)", id, name)
	if err != nil {
		if holder, lookErr := a.holder(ctx, name); lookErr != nil || holder == id {
			return fmt.Errorf("remembering a user: %w", err)
		}
	}
	if err != nil || noted == 0 {
		return fmt.Errorf("remembering a user: %w", user.ErrNameTaken)
	}
	return nil
}

// holder is the ID of the user who has a name.
func (a *Accounts) holder(ctx context.Context, name string) (id string, err error) {
	err = a.read.QueryRowContext(ctx, "SELECT id FROM users WHERE name = $1", name).Scan(&id)
	return id, err
}

// UserByName finds the ID that is the name, or that has it, or returns registry.ErrNotFound. An ID comes first: users
// choose their names, and nobody takes the place of another one by naming themselves after their ID.
func (a *Accounts) UserByName(ctx context.Context, name string) (id string, err error) {
	if registry.ValidateAlias(name) != nil {
		return "", notFound("looking for a user", sql.ErrNoRows) // the database might choke on it
	}
	err = a.read.QueryRowContext(ctx, "SELECT id FROM users WHERE id = $1 OR name = $1 ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1", name).Scan(&id)
	return id, notFound("looking for a user", err)
}

const idsAtOnce = 500 // of one statement

// UserNames gives the names of those IDs that are known.
func (a *Accounts) UserNames(ctx context.Context, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	for some := range slices.Chunk(ids, idsAtOnce) {
		parameters := make([]any, len(some))
		places := make([]string, len(some))
		for i, id := range some {
			parameters[i], places[i] = id, fmt.Sprintf("$%d", i+1)
		}
		err := a.query(ctx, func(rows *sql.Rows) error {
			var id, name string
			err := rows.Scan(&id, &name)
			names[id] = name
			return err
		}, "SELECT id, name FROM users WHERE id IN ("+strings.Join(places, ", ")+")", parameters...)
		if err != nil {
			return nil, fmt.Errorf("looking for names of users: %w", err)
		}
	}
	return names, nil
}
