package user

import (
	"context"
	"errors"
	"time"
)

// Errors of a TokenStore and a Directory that a caller tells apart with errors.Is. What is not there is
// registry.ErrNotFound. Any other error means that nobody could be asked.
var (
	// ErrTokenTaken says that a token with the same hash, or one of the same user with the same prefix, exists.
	ErrTokenTaken = errors.New("such an access token exists")
	// ErrNameTaken says that another user has that name.
	ErrNameTaken = errors.New("another user has that name")
)

// A Token is what is kept of an access token. The token itself is shown once, when it is created, and not kept.
type Token struct {
	Prefix      string    // "drg_" and six characters; unique for each user, not secret
	Hash        string    // SHA3-512 of the whole token in 128 lower-case hexadecimal digits; unique
	UserID      string    // Identity.ID of the user whom it stands for
	UserName    string    // their name when it was created
	Created     time.Time // in UTC, to the microsecond
	Description string    // "" for none
	Expires     time.Time // zero is never
	Scope       Scope
}

// A TokenFinder finds access tokens.
type TokenFinder interface {
	// FindToken finds a token by its hash, expired or not, or returns registry.ErrNotFound.
	FindToken(ctx context.Context, hash string) (*Token, error)
}

// A TokenStore keeps access tokens. Writes are durable when they return.
type TokenStore interface {
	TokenFinder
	// CreateToken keeps a token, or returns ErrTokenTaken.
	CreateToken(ctx context.Context, token Token) error
	// ListTokens gives a user's tokens, expired ones included, in the order in which they were created.
	ListTokens(ctx context.Context, userID string) ([]Token, error)
	// DeleteToken removes a user's token, or returns registry.ErrNotFound.
	DeleteToken(ctx context.Context, userID, prefix string) error
}

// A Directory remembers who has signed in, so that people can name each other as members and new owners. It holds what
// providers told and decides nothing.
type Directory interface {
	// RememberUser notes a user's present name. A name that another ID has is ErrNameTaken, and the user then keeps the
	// name from before, if any: whoever had a name first keeps it until they come with another one.
	RememberUser(ctx context.Context, id, name string) error
	// UserByName finds an ID: the one that is the given text, else the one that has it as its name, else
	// registry.ErrNotFound.
	UserByName(ctx context.Context, name string) (id string, err error)
	// UserNames gives the names of those IDs that it knows.
	UserNames(ctx context.Context, ids []string) (map[string]string, error)
}
