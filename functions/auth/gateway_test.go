package authfn

import (
	"context"
	"testing"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/outcome"
)

func TestAuthorizeAsLooksAtTheGateway(t *testing.T) {
	f := func(want, body string) {
		t.Helper()
		status, got := post(handler(DefaultConfig(), documents{}), auth.PathAuthorizeAs, body, "")
		if status != 200 || got != want {
			t.Errorf("%s: %d %s, want %s", body, status, got, want)
		}
	}
	const fail = `{"outcome":"fail"}`
	f(fail, `{"application":"app","device":"nobody","as":"sensor"}`)
	f(fail, `{"application":"app","device":"nobody","as":"nobody"}`)
	f(fail, `{"application":"nobody","device":"gateway","as":"sensor"}`)
	f(fail, `{"application":"app","device":"gateway"}`)
	f(`{"outcome":{"pass":{"as":{"metadata":{"name":"sensor","application":"app","uid":"s"},"spec":{"gatewaySelector":{"matchNames":["gateway"]}}}}}}`,
		`{"application":"app","device":"sensor","as":"sensor"}`)
}

// crowded has too much to do.
type crowded struct{ auth.Authenticator }

func (crowded) Authenticate(context.Context, auth.Request) (*auth.Session, error) {
	return nil, outcome.New(outcome.Overloaded, "")
}

func TestTooManyQuestions(t *testing.T) {
	status, text := post(New(DefaultConfig(), crowded{}), auth.PathAuthenticate, `{"application":"a","device":"d","credential":{"pass":"x"}}`, "")
	if status != 429 || text != `{"error":"Overloaded","message":"Too many questions at once"}` {
		t.Errorf("%d %s", status, text)
	}
}
