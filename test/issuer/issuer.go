// Package issuer issues tokens of service accounts for tests, as Kubernetes does.
package issuer

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

// A Cluster issues tokens.
type Cluster struct {
	*httptest.Server
	Key *ecdsa.PrivateKey
}

// New makes one, with a key of its own, that ends with the test.
func New(t *testing.T) *Cluster {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Key: key}
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

// Token is what the account of a subject shows an audience, signed with a key.
func (c *Cluster) Token(t *testing.T, key *ecdsa.PrivateKey, subject, audience string, lifetime time.Duration) string {
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

// Users takes the tokens that Triggers in the namespace fairlead show an audience.
func (c *Cluster) Users(t *testing.T, audience string) *user.Authenticator {
	t.Helper()
	provider := &user.ProviderConfig{}
	provider.SetDefaults()
	provider.Issuer, provider.Audiences = c.URL, []string{audience}
	provider.ServiceSubjects = []string{"system:serviceaccount:fairlead:*-oidc-eventing.knative.dev-trigger"}
	if err := provider.Validate(); err != nil {
		t.Fatal(err)
	}
	config := user.DefaultConfig()
	config.Providers = map[string]*user.ProviderConfig{"kubernetes": provider}
	users, err := user.New(config, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return users
}
