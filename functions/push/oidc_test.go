package push

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/test/issuer"
)

// TestTokensOfTriggers verifies real tokens: signature, audience, account and time.
func TestTokensOfTriggers(t *testing.T) {
	k := issuer.New(t)
	provider := &user.ProviderConfig{}
	provider.SetDefaults()
	provider.Issuer, provider.Audiences = k.URL, []string{"fairlead-push"}
	provider.ServiceSubjects = []string{"system:serviceaccount:fairlead:*-oidc-eventing.knative.dev-trigger"}
	c := user.DefaultConfig()
	c.Providers = map[string]*user.ProviderConfig{"kubernetes": provider}
	if err := provider.Validate(); err != nil {
		t.Fatal(err)
	}
	callers, err := user.New(c, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	to := newReceiver(t)
	h, _ := newHandler(t, &documents{section: `{"endpoint":{"url":"` + to.URL + `"}}`}, thisMachine)
	h.AdmitServices(callers)
	f := func(want int, what, token string) {
		t.Helper()
		w := serve(h, request("/app", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }))
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, want)
		}
	}
	const trigger = "system:serviceaccount:fairlead:app-push-oidc-eventing.knative.dev-trigger"
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f(202, "a Trigger's token", k.Token(t, k.Key, trigger, "fairlead-push", time.Hour))
	f(403, "one for somebody else", k.Token(t, k.Key, trigger, "fairlead-command", time.Hour))
	f(403, "another account's", k.Token(t, k.Key, "system:serviceaccount:fairlead:default", "fairlead-push", time.Hour))
	f(403, "one of another namespace", k.Token(t, k.Key, "system:serviceaccount:other:app-push-oidc-eventing.knative.dev-trigger", "fairlead-push", time.Hour))
	f(403, "one that is over", k.Token(t, k.Key, trigger, "fairlead-push", -time.Minute))
	f(403, "one with another signature", k.Token(t, other, trigger, "fairlead-push", time.Hour))
	f(403, "none at all", "x")
	if len(to.got) != 1 {
		t.Errorf("%d were delivered", len(to.got))
	}
}
