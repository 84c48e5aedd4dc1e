package accounts

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

const tokenColumns = "hash, user_id, prefix, user_name, created, description, expires, scope"

// CreateToken keeps a token, or returns user.ErrTokenTaken.
func (a *Accounts) CreateToken(ctx context.Context, t user.Token) error {
	scope, err := encodeScope(t.Scope)
	if err != nil {
		return fmt.Errorf("keeping an access token: %w", err)
	}
	kept, err := a.execute(ctx, "INSERT INTO access_tokens ("+tokenColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
		t.Hash, t.UserID, t.Prefix, t.UserName, t.Created.UnixMicro(), t.Description, micros(t.Expires), scope)
	if err != nil {
		return fmt.Errorf("keeping an access token: %w", err)
	}
	if kept == 0 {
		return fmt.Errorf("keeping an access token: %w", user.ErrTokenTaken)
	}
	return nil
}

// ListTokens gives a user's tokens in the order in which they were created.
func (a *Accounts) ListTokens(ctx context.Context, userID string) ([]user.Token, error) {
	var tokens []user.Token
	err := a.query(ctx, func(rows *sql.Rows) error {
		t, err := scanToken(rows)
		tokens = append(tokens, t)
		return err
	}, "SELECT "+tokenColumns+" FROM access_tokens WHERE user_id = $1 ORDER BY created, prefix", userID)
	if err != nil {
		return nil, fmt.Errorf("listing access tokens: %w", err)
	}
	return tokens, nil
}

// DeleteToken removes a user's token, or returns registry.ErrNotFound.
func (a *Accounts) DeleteToken(ctx context.Context, userID, prefix string) error {
	removed, err := a.execute(ctx, "DELETE FROM access_tokens WHERE user_id = $1 AND prefix = $2", userID, prefix)
	if err == nil && removed == 0 {
		err = registry.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("deleting an access token: %w", err)
	}
	return nil
}

// FindToken finds a token by its hash, or returns registry.ErrNotFound. Those who ask at the same time share a query, and what
// the scope of the token lists.
func (a *Accounts) FindToken(ctx context.Context, hash string) (*user.Token, error) {
	t, err := a.tokens.Get(ctx, hash)
	if err := notFound("looking for an access token", err); err != nil {
		return nil, err
	}
	return &t, nil
}

func (a *Accounts) findToken(ctx context.Context, hash string) (user.Token, error) {
	return scanToken(a.read.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM access_tokens WHERE hash = $1", hash))
}

func scanToken(from interface{ Scan(...any) error }) (t user.Token, err error) {
	var created, expires int64
	var scope string
	if err := from.Scan(&t.Hash, &t.UserID, &t.Prefix, &t.UserName, &created, &t.Description, &expires, &scope); err != nil {
		return t, err
	}
	t.Created = time.UnixMicro(created).UTC()
	if expires != 0 {
		t.Expires = time.UnixMicro(expires).UTC()
	}
	if scope != "" && json.Unmarshal([]byte(scope), &t.Scope) != nil {
		// A scope that cannot be read is not one that narrows nothing.
		return t, errors.New("the scope of an access token does not parse")
	}
	return t, nil
}

func encodeScope(s user.Scope) (string, error) {
	if len(s.Applications) == 0 && s.Permission == 0 {
		return "", nil
	}
	text, err := json.Marshal(s)
	return string(text), err
}

// micros is a time in microseconds since 1970, and 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
