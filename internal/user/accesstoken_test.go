package user

import (
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
)

func TestAccessToken(t *testing.T) {
	store := newMemory()
	a := authenticator(t, store)
	tokens := NewTokens(DefaultTokensConfig(), store)
	ada := &Identity{ID: "u-1", Name: "ada", Admin: true, Roles: []string{"drogue-admin"}}
	token, secret, err := tokens.Create(t.Context(), ada, TokenRequest{Scope: Scope{Permission: Write}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*http.Request{
		request("/", basic("ada", secret)), request("/", basic("u-1", secret)), request("/?username=ada&api_key=" + secret),
		request("/", "Bearer "+secret), request("/?token=" + secret),
	} {
		identity, err := a.Authenticate(r)
		if err != nil || identity.ID != "u-1" || identity.Name != "ada" || identity.Admin || len(identity.Roles) != 0 || identity.Scope.Permission != Write || !identity.ByAccessToken {
			t.Errorf("%s %v: %+v, %v", r.URL, r.Header, identity, err)
		}
	}
	f := func(user, secret string, want reason) {
		t.Helper()
		if identity, err := a.Check(t.Context(), AccessToken{user, secret}); identity != nil || outcome.Of(err) != outcome.Unauthenticated || reasonOf(err) != want {
			t.Errorf("%+v, %v; want it refused: %s", identity, err, want)
		}
	}
	f("bob", secret, errTokenUser)
	f("ada", vector, errNoToken)
	f("ada", "hunter2", errNotToken)
	f("ada", secret+"0", errNotToken)

	store.away = errAway
	if _, err := a.Check(t.Context(), AccessToken{"ada", secret}); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("without a store: %v, want unavailable", err)
	}
	store.away = nil
	store.tokens[0].Expires = time.Now()
	f("ada", secret, errTokenEnd)
	store.tokens[0].Expires = time.Time{}
	if err := tokens.Delete(t.Context(), ada, token.Prefix); err != nil {
		t.Fatal(err)
	}
	f("ada", secret, errNoToken)
}
