package command

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/test/issuer"
)

// TestTokensOfTriggers verifies real tokens: audience, account and time.
func TestTokensOfTriggers(t *testing.T) {
	k := issuer.New(t)
	provider := &user.ProviderConfig{}
	provider.SetDefaults()
	provider.Issuer, provider.Audiences = k.URL, []string{"fairlead-command"}
	provider.ServiceSubjects = []string{"system:serviceaccount:fairlead:*-oidc-eventing.knative.dev-trigger"}
	c := user.DefaultConfig()
	c.Providers = map[string]*user.ProviderConfig{"kubernetes": provider}
	if err := provider.Validate(); err != nil {
		t.Fatal(err)
	}
	users, err := user.New(c, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(_ *Config, p *Parts) { p.Users = users })
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
