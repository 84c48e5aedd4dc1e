package command

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/issuer"
)

// TestTokensOfTriggers verifies real tokens: audience, account and time.
func TestTokensOfTriggers(t *testing.T) {
	k := issuer.New(t)
	w := newWorld(t, func(_ *Config, p *Parts) { p.Users = k.Users(t, "fairlead-command") })
	f := func(want int, what, token string) {
		t.Helper()
		if got := w.do("/app", "x", anEvent("Bearer "+token)); got.Code != want {
			t.Errorf("%s: %d %s, want %d", what, got.Code, got.Body, want)
		}
	}
	const trigger = "system:serviceaccount:fairlead:app-command-oidc-eventing.knative.dev-trigger"
	f(202, "a Trigger's token", k.Token(t, k.Key, trigger, "fairlead-command", time.Hour))
	f(403, "one for somebody else", k.Token(t, k.Key, trigger, "fairlead-push", time.Hour))
	f(403, "one that is over", k.Token(t, k.Key, trigger, "fairlead-command", -time.Minute))
	f(404, "another account's", k.Token(t, k.Key, "system:serviceaccount:fairlead:default", "fairlead-command", time.Hour))
	f(403, "none at all", "x")
}
