package user

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

func TestTokens(t *testing.T) {
	store := newMemory()
	tokens := NewTokens(DefaultTokensConfig(), store)
	ada, bob := &Identity{ID: "u-1", Name: "ada"}, &Identity{ID: "u-2", Name: "bob"}
	token, secret, err := tokens.Create(t.Context(), ada, TokenRequest{Description: "for tests"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, token.Prefix+"_") || token.Hash != hashSecret(secret) || token.UserID != "u-1" || token.UserName != "ada" || !token.Expires.IsZero() {
		t.Errorf("%+v", token)
	}
	if strings.Contains(token.Hash+token.Prefix+token.Description, secret) {
		t.Error("the secret is kept")
	}
	if list, err := tokens.List(t.Context(), ada); err != nil || len(list) != 1 || list[0].Description != "for tests" {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := tokens.List(t.Context(), bob); err != nil || len(list) != 0 {
		t.Errorf("of another user: %+v, %v", list, err)
	}
	for _, prefix := range []string{token.Prefix, "drg_", "", "' OR 1=1", "drg_!!!!!!"} {
		if err := tokens.Delete(t.Context(), bob, prefix); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("another user deletes %q: %v", prefix, err)
		}
	}
	if err := tokens.Delete(t.Context(), ada, token.Prefix); err != nil || len(store.tokens) != 0 {
		t.Errorf("%v, %d left", err, len(store.tokens))
	}
}

func TestTokensAreNotForEverybody(t *testing.T) {
	tokens := NewTokens(DefaultTokensConfig(), newMemory())
	f := func(name string, by *Identity, want outcome.Outcome) {
		t.Helper()
		_, _, created := tokens.Create(t.Context(), by, TokenRequest{})
		_, listed := tokens.List(t.Context(), by)
		deleted := tokens.Delete(t.Context(), by, vector[:prefixLength])
		for _, err := range []error{created, listed, deleted} {
			if outcome.Of(err) != want {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
	f("nobody", nil, outcome.Unauthenticated)
	f("anonymous", &Identity{}, outcome.Unauthenticated)
	f("token for one application", &Identity{ID: "u", Scope: Scope{Applications: []string{"a"}}}, outcome.Forbidden)
	f("token for reading", &Identity{ID: "u", Scope: Scope{Permission: Read}}, outcome.Forbidden)
}

func TestTokenRequests(t *testing.T) {
	config := DefaultTokensConfig()
	config.MaxLifetime = 24 * time.Hour
	tokens := NewTokens(config, newMemory())
	now := time.Now()
	soon := now.Add(time.Hour)
	ada := &Identity{ID: "u-1", Until: now.Add(time.Minute)}
	byToken := &Identity{ID: "u-1", ByAccessToken: true, Until: soon}
	f := func(name string, by *Identity, r TokenRequest, wantEnd time.Time, wantErr string) {
		t.Helper()
		token, _, err := tokens.Create(t.Context(), by, r)
		if wantErr != "" {
			if outcome.Of(err) != outcome.Invalid || !strings.Contains(err.Error(), wantErr) {
				t.Errorf("%s: %v, want invalid: %s", name, err, wantErr)
			}
			return
		}
		if err != nil || token.Expires.Sub(wantEnd).Abs() > time.Minute {
			t.Errorf("%s: %v, ends %s, want %s", name, err, token.Expires, wantEnd)
		}
	}
	day := now.Add(24 * time.Hour)
	f("no end", ada, TokenRequest{}, day, "")
	f("an end", ada, TokenRequest{Expires: now.Add(10 * time.Minute)}, now.Add(10*time.Minute), "")
	f("an end too late", ada, TokenRequest{Expires: now.Add(48 * time.Hour)}, day, "expires: must not be after")
	f("an end in the past", ada, TokenRequest{Expires: now.Add(-time.Second)}, day, "expires: lies in the past")
	f("no end, by a token that ends", byToken, TokenRequest{}, soon, "")
	f("later than the token that asks", byToken, TokenRequest{Expires: now.Add(2 * time.Hour)}, soon, "expires: must not be after")
	f("long description", ada, TokenRequest{Description: strings.Repeat("x", 1025)}, day, "description:")
	f("description that is no text", ada, TokenRequest{Description: "\xff"}, day, "description:")
	f("unknown permission", ada, TokenRequest{Scope: Scope{Permission: 9}}, day, "scope.permission:")
	f("name of no application", ada, TokenRequest{Scope: Scope{Applications: []string{"A B"}}}, day, "scope.applications:")
	f("many applications", ada, TokenRequest{Scope: Scope{Applications: make([]string, 101)}}, day, "scope.applications:")
}

func TestTokensAreBounded(t *testing.T) {
	store := newMemory()
	tokens := NewTokens(TokensConfig{PerUser: 2}, store)
	ada := &Identity{ID: "u-1"}
	store.taken = maxTokenAttempts - 1
	for range 2 {
		if _, _, err := tokens.Create(t.Context(), ada, TokenRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := tokens.Create(t.Context(), ada, TokenRequest{}); outcome.Of(err) != outcome.Invalid {
		t.Errorf("the third of two: %v", err)
	}
	if _, _, err := tokens.Create(t.Context(), &Identity{ID: "u-2"}, TokenRequest{}); err != nil {
		t.Errorf("of another user: %v", err)
	}
	store.away = errAway
	_, _, created := tokens.Create(t.Context(), ada, TokenRequest{})
	_, listed := tokens.List(t.Context(), ada)
	deleted := tokens.Delete(t.Context(), ada, vector[:prefixLength])
	for _, err := range []error{created, listed, deleted} {
		if outcome.Of(err) != outcome.Unavailable {
			t.Errorf("without a store: %v", err)
		}
	}
}
