package push

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/internal/user"
)

// A cluster issues tokens of service accounts, as Kubernetes does.
type cluster struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": c.URL, "jwks_uri": c.URL + "/openid/v1/jwks"})
	})
	mux.HandleFunc("GET /openid/v1/jwks", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	})
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

// token is what a Trigger's account shows an audience, changed.
func (c *cluster) token(t *testing.T, key *ecdsa.PrivateKey, subject, audience string, lifetime time.Duration) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": c.URL, "sub": subject, "aud": []string{audience}, "iat": now.Add(-time.Hour).Unix(), "nbf": now.Add(-time.Hour).Unix(), "exp": now.Add(lifetime).Unix(),
		"kubernetes.io": map[string]any{"namespace": "fairlead"},
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTokensOfTriggers verifies real tokens: signature, audience, account and time.
func TestTokensOfTriggers(t *testing.T) {
	k := newCluster(t)
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
	f(202, "a Trigger's token", k.token(t, k.key, trigger, "fairlead-push", time.Hour))
	f(403, "one for somebody else", k.token(t, k.key, trigger, "fairlead-command", time.Hour))
	f(403, "another account's", k.token(t, k.key, "system:serviceaccount:fairlead:default", "fairlead-push", time.Hour))
	f(403, "one of another namespace", k.token(t, k.key, "system:serviceaccount:other:app-push-oidc-eventing.knative.dev-trigger", "fairlead-push", time.Hour))
	f(403, "one that is over", k.token(t, k.key, trigger, "fairlead-push", -time.Minute))
	f(403, "one with another signature", k.token(t, other, trigger, "fairlead-push", time.Hour))
	f(403, "none at all", "x")
	if len(to.got) != 1 {
		t.Errorf("%d were delivered", len(to.got))
	}
}
