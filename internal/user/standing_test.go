package user

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
)

func TestStandingOfAnAccessTokenEndsWithIt(t *testing.T) {
	store := newMemory()
	a := authenticator(t, store)
	tokens := NewTokens(DefaultTokensConfig(), store)
	ada := &Identity{ID: "u-1", Name: "ada"}
	token, secret, err := tokens.Create(t.Context(), ada, TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Credential{Bearer(secret), AccessToken{"ada", secret}} {
		identity, standing, err := a.Admit(t.Context(), c)
		if err != nil || identity.ID != "u-1" {
			t.Fatalf("%+v, %v", identity, err)
		}
		if again, err := a.Again(t.Context(), standing); err != nil || again.ID != "u-1" {
			t.Errorf("again: %+v, %v", again, err)
		}
		store.away = errAway
		if _, err := a.Again(t.Context(), standing); outcome.Of(err) != outcome.Unavailable {
			t.Errorf("without a store: %v", err)
		}
		store.away = nil
	}
	_, standing, _ := a.Admit(t.Context(), Bearer(secret))
	if err := tokens.Delete(t.Context(), ada, token.Prefix); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Again(t.Context(), standing); reasonOf(err) != errNoToken {
		t.Errorf("after its end: %v", err)
	}
}

func TestStandingOfABearerEndsWhenItExpires(t *testing.T) {
	a := authenticator(t, newMemory())
	valid := Standing{identity: &Identity{ID: "u", Until: time.Now().Add(time.Hour)}}
	if i, err := a.Again(t.Context(), valid); err != nil || i.ID != "u" {
		t.Errorf("%+v, %v", i, err)
	}
	expired := Standing{identity: &Identity{ID: "u", Until: time.Now()}}
	if _, err := a.Again(t.Context(), expired); reasonOf(err) != errExpired {
		t.Errorf("expired: %v", err)
	}
	if i, err := a.Again(t.Context(), Standing{}); err != nil || !i.Anonymous() {
		t.Errorf("nobody: %+v, %v", i, err)
	}
}
