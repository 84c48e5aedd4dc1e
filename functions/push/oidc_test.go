package push

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/issuer"
)

// TestTokensOfTriggers verifies real tokens: signature, audience, account and time.
func TestTokensOfTriggers(t *testing.T) {
	k := issuer.New(t)
	to := newReceiver(t)
	h, _ := newHandler(t, &documents{section: `{"endpoint":{"url":"` + to.URL + `"}}`}, thisMachine)
	h.AdmitServices(k.Users(t, "fairlead-push"))
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
