package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// Limits of an access token.
const (
	maxDescription   = 1024 // bytes
	maxApplications  = 100  // of a scope
	maxTokenAttempts = 4    // at a prefix that the user does not have yet
)

// Tokens make access tokens, list and delete them. Whoever asks is known already; whom they act for is always themselves.
type Tokens struct {
	config TokensConfig
	store  TokenStore
}

// NewTokens makes Tokens on a store.
func NewTokens(c TokensConfig, store TokenStore) *Tokens { return &Tokens{c, store} }

// A TokenRequest says what an access token is to be.
type TokenRequest struct {
	Description string
	Expires     time.Time // zero: as late as the configuration and the caller's own credential allow
	Scope       Scope
}

// Create makes an access token for the caller and returns it with what is kept of it. This is the only time that anybody
// sees it. A caller whose own access token expires gets none that lives longer. The error's outcome is Forbidden for a
// caller who is anonymous or whose scope is narrow, Invalid for a request that cannot be had.
func (t *Tokens) Create(ctx context.Context, by *Identity, r TokenRequest) (token Token, secret string, err error) {
	if err := mayHaveTokens(by); err != nil {
		return Token{}, "", err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	expires, err := t.end(by, r.Expires, now)
	if err != nil {
		return Token{}, "", err
	}
	if err := checkRequest(r); err != nil {
		return Token{}, "", err
	}
	present, err := t.store.ListTokens(ctx, by.ID)
	if err != nil {
		return Token{}, "", unavailable("access tokens cannot be read", err)
	}
	if len(present) >= t.config.PerUser {
		return Token{}, "", invalid(fmt.Sprintf("a user has at most %d access tokens; delete one first", t.config.PerUser))
	}
	token = Token{UserID: by.ID, UserName: by.Name, Created: now, Description: r.Description, Expires: expires, Scope: r.Scope}
	for range maxTokenAttempts {
		secret = newSecret()
		token.Prefix, token.Hash = secret[:prefixLength], hashSecret(secret)
		if err = t.store.CreateToken(ctx, token); !errors.Is(err, ErrTokenTaken) {
			break
		}
	}
	if err != nil {
		return Token{}, "", unavailable("the access token could not be stored", err)
	}
	return token, secret, nil
}

// List gives the caller's access tokens, in the order in which they were created.
func (t *Tokens) List(ctx context.Context, by *Identity) ([]Token, error) {
	if err := mayHaveTokens(by); err != nil {
		return nil, err
	}
	tokens, err := t.store.ListTokens(ctx, by.ID)
	if err != nil {
		return nil, unavailable("access tokens cannot be read", err)
	}
	return tokens, nil
}

// Delete removes one of the caller's access tokens. From then on it is refused. One that is not there is
// registry.ErrNotFound.
func (t *Tokens) Delete(ctx context.Context, by *Identity, prefix string) error {
	if err := mayHaveTokens(by); err != nil {
		return err
	}
	if !isPrefix(prefix) {
		return registry.ErrNotFound
	}
	err := t.store.DeleteToken(ctx, by.ID, prefix)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return unavailable("the access token could not be deleted", err)
	}
	return err
}

// mayHaveTokens keeps those out who would get more from a new token than their own credential gives.
func mayHaveTokens(by *Identity) error {
	if by.Anonymous() {
		return outcome.Wrap(outcome.Unauthenticated, "", errors.New("access tokens of nobody"))
	}
	if by.Scope.Narrow() {
		return forbidden("this access token is limited to applications or permissions, and manages no access tokens")
	}
	return nil
}

// end is when a new token expires, from what was asked for, the longest lifetime, and, for a caller with an access token
// of their own, its end. A token of an OpenID provider ends much sooner than the access tokens that are made with it.
func (t *Tokens) end(by *Identity, wanted, now time.Time) (time.Time, error) {
	latest := time.Time{}
	if t.config.MaxLifetime > 0 {
		latest = now.Add(t.config.MaxLifetime)
	}
	if by.ByAccessToken && !by.Until.IsZero() && (latest.IsZero() || by.Until.Before(latest)) {
		latest = by.Until
	}
	wanted = wanted.UTC().Truncate(time.Microsecond)
	switch {
	case wanted.IsZero():
		return latest, nil
	case !wanted.After(now):
		return wanted, invalid("expires: lies in the past")
	case !latest.IsZero() && wanted.After(latest):
		return wanted, invalid("expires: must not be after " + latest.Format(time.RFC3339))
	}
	return wanted, nil
}

func checkRequest(r TokenRequest) error {
	switch {
	case len(r.Description) > maxDescription || !utf8.ValidString(r.Description) || strings.ContainsFunc(r.Description, unicode.IsControl):
		return invalid(fmt.Sprintf("description: must be at most %d bytes of UTF-8 without control characters", maxDescription))
	case len(r.Scope.Applications) > maxApplications:
		return invalid(fmt.Sprintf("scope.applications: at most %d", maxApplications))
	case r.Scope.Permission > Owner:
		return invalid("scope.permission: must be Read, Write, Admin or Owner")
	case slices.ContainsFunc(r.Scope.Applications, func(name string) bool { return registry.ValidateApplicationName(name) != nil }):
		return invalid("scope.applications: must be names of applications")
	}
	return nil
}
