package user

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// An issuer is an OpenID provider of a test: it publishes keys, and signs whatever it is told to.
type issuer struct {
	*httptest.Server
	fetches, discoveries atomic.Int64
	away                 atomic.Bool
	claimed              string // issuer in the discovery document; "" is the true one

	mu   sync.Mutex
	keys []jose.JSONWebKey // private
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{}
	i.add("first", jose.ES256)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		i.discoveries.Add(1)
		issuer := i.URL
		if i.claimed != "" {
			issuer = i.claimed
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"issuer": issuer, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		i.fetches.Add(1)
		if i.away.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.public()})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// rsaKey is made once: it takes long.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// add publishes one more key.
func (i *issuer) add(id string, algorithm jose.SignatureAlgorithm) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var key any
	if algorithm == jose.RS256 {
		key, _ = rsaKey()
	} else {
		key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	i.keys = append(i.keys, jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(algorithm), Use: "sig"})
}

// withdraw takes the oldest key back.
func (i *issuer) withdraw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = i.keys[1:]
}

func (i *issuer) newest() jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

func (i *issuer) public() []jose.JSONWebKey {
	i.mu.Lock()
	defer i.mu.Unlock()
	public := make([]jose.JSONWebKey, len(i.keys))
	for n, key := range i.keys {
		public[n] = key.Public()
	}
	return public
}

// claims are those of a good token, changed by what is given; nil takes a claim away.
func (i *issuer) claims(changes map[string]any) map[string]any {
	now := time.Now()
	all := map[string]any{
		"iss": i.URL, "sub": "u-1", "aud": []string{"drogue", "account"}, "azp": "drogue", "typ": "Bearer", "preferred_username": "ada",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// token signs a good token with the newest key, with changed claims.
func (i *issuer) token(t testing.TB, changes map[string]any) string {
	t.Helper()
	return sign(t, i.newest(), i.claims(changes), nil)
}

func sign(t testing.TB, key jose.JSONWebKey, claims any, header map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, value := range header {
		options.WithHeader(name, value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// config takes the issuer's tokens.
func (i *issuer) config() *ProviderConfig {
	c := &ProviderConfig{}
	c.SetDefaults()
	c.Issuer, c.Clients = i.URL, []string{"drogue"}
	return c
}

// thumbprintOf is that of a key.
func thumbprintOf(t *testing.T, key jose.JSONWebKey) thumbprint {
	t.Helper()
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return thumbprint(sum)
}
