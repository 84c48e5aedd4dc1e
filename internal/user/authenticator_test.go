package user

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/outcome"
)

func authenticator(t *testing.T, store *memory, providers ...*ProviderConfig) *Authenticator {
	t.Helper()
	c := DefaultConfig()
	c.Providers = map[string]*ProviderConfig{}
	for n, p := range providers {
		c.Providers[fmt.Sprint("p", n)] = p
	}
	if err := config.Validate("user", &c); err != nil {
		t.Fatal(err)
	}
	a, err := New(c, store, store, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// refuses fails the test unless a token is refused for a reason, and keeps the reason from the caller.
func refuses(t *testing.T, a *Authenticator, name, token string, want reason) {
	t.Helper()
	identity, err := a.Check(t.Context(), Bearer(token))
	if identity != nil || outcome.Of(err) != outcome.Unauthenticated || reasonOf(err) != want {
		t.Errorf("%s: %+v, %v; want it refused: %s", name, identity, err, want)
		return
	}
	w := httptest.NewRecorder()
	WriteHTTP(w, err)
	if w.Code != http.StatusForbidden || w.Body.String() != `{"error":"Forbidden","message":"Forbidden"}` {
		t.Errorf("%s: the caller is told %d %s", name, w.Code, w.Body)
	}
}

func TestBearer(t *testing.T) {
	i, store := newIssuer(t), newMemory()
	a := authenticator(t, store, i.config())
	token := i.token(t, map[string]any{
		"realm_access":    map[string]any{"roles": []string{"user", "drogue-admin"}},
		"resource_access": map[string]any{"drogue": map[string]any{"roles": []string{"extra", "user"}}, "other": map[string]any{"roles": []string{"foreign"}}},
	})
	identity, err := a.Authenticate(request("/", "Bearer "+token))
	if err != nil {
		t.Fatal(err)
	}
	if identity.ID != "u-1" || identity.Name != "ada" || !identity.Admin || identity.Service || identity.ByAccessToken || identity.Until.IsZero() {
		t.Errorf("%+v", identity)
	}
	if want := []string{"drogue-admin", "extra", "user"}; !slices.Equal(identity.Roles, want) {
		t.Errorf("roles %v, want %v", identity.Roles, want)
	}
	if id, err := store.UserByName(t.Context(), "ada"); err != nil || id != "u-1" {
		t.Errorf("the directory has %q, %v", id, err)
	}
	again, err := a.Authenticate(request("/?token=" + token))
	if err != nil || again != identity {
		t.Errorf("the same token again: %+v, %v", again, err)
	}
	if hits, fetches := a.verified.hits.Load(), i.fetches.Load(); hits != 1 || fetches != 1 {
		t.Errorf("%d hits, %d fetches of the keys, want 1 and 1", hits, fetches)
	}
}

func TestBearerIsRefused(t *testing.T) {
	i, other := newIssuer(t), newIssuer(t)
	a := authenticator(t, newMemory(), i.config())
	now := time.Now()
	f := func(name string, want reason, changes map[string]any) {
		t.Helper()
		refuses(t, a, name, i.token(t, changes), want)
	}
	f("expired", errExpired, map[string]any{"exp": now.Add(-31 * time.Second).Unix()})
	f("without end", errClaims, map[string]any{"exp": nil})
	f("end as text", errNotToken, map[string]any{"exp": "tomorrow"})
	f("not yet", errNotYet, map[string]any{"nbf": now.Add(40 * time.Second).Unix()})
	f("issued in the future", errNotYet, map[string]any{"iat": now.Add(40 * time.Second).Unix()})
	f("wrong audience", errAudience, map[string]any{"aud": "account"})
	f("no audience", errAudience, map[string]any{"aud": nil})
	f("audience that contains ours", errAudience, map[string]any{"aud": "drogue2"})
	f("another client", errClient, map[string]any{"azp": "mallory"})
	f("another client, RFC 9068", errClient, map[string]any{"azp": nil, "client_id": "mallory"})
	f("client that is no text", errClient, map[string]any{"azp": 7})
	f("no subject", errSubject, map[string]any{"sub": nil})
	f("empty subject", errSubject, map[string]any{"sub": ""})
	f("subject with a control character", errSubject, map[string]any{"sub": "a\nb"})
	f("subject that is too long", errSubject, map[string]any{"sub": strings.Repeat("a", 256)})
	f("refresh token", errType, map[string]any{"typ": "Refresh"})
	f("logout token", errType, map[string]any{"typ": "Logout", "events": map[string]any{}})
	f("wrong issuer", errIssuer, map[string]any{"iss": other.URL})
	f("no issuer", errIssuer, map[string]any{"iss": nil})
	f("issuer in another case", errIssuer, map[string]any{"iss": nil, "ISS": i.URL})
	f("issuer twice", errIssuer, map[string]any{"iss": other.URL, "ISS": i.URL})

	good := i.token(t, nil)
	parts := strings.Split(good, ".")
	refuses(t, a, "signature of another provider", sign(t, other.newest(), i.claims(nil), nil), errSignature)
	refuses(t, a, "changed signature", good[:len(good)-8]+"AAAAAAAA", errSignature)
	refuses(t, a, "no signature", parts[0]+"."+parts[1]+".", errSignature)
	refuses(t, a, "two parts", parts[0]+"."+parts[1], errNotToken)
	refuses(t, a, "four parts", good+".AAAA", errNotToken)
	refuses(t, a, "something", "something", errIssuer)
	refuses(t, a, "encrypted", good+".AAAA.AAAA", errNotToken)
	refuses(t, a, "logout token by its header", sign(t, i.newest(), i.claims(nil), map[jose.HeaderKey]any{jose.HeaderType: "logout+jwt"}), errType)
	refuses(t, a, "critical header", sign(t, i.newest(), i.claims(nil), map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}), errSignature)
}

// No token chooses how it is checked.
func TestForgedTokens(t *testing.T) {
	i, mallory := newIssuer(t), newIssuer(t)
	a := authenticator(t, newMemory(), i.config())
	forge := func(header string, signature string) string {
		payload, _ := json.Marshal(i.claims(nil))
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + signature
	}
	refuses(t, a, "alg none", forge(`{"alg":"none","typ":"JWT"}`, ""), errNotToken)
	refuses(t, a, "alg None", forge(`{"alg":"None","kid":"first"}`, "AAAA"), errNotToken)
	refuses(t, a, "no alg", forge(`{"kid":"first"}`, "AAAA"), errNotToken)

	i.add("rsa", jose.RS256)
	known := i.newest()
	if _, err := a.Check(t.Context(), Bearer(i.token(t, nil))); err != nil {
		t.Errorf("a token of an RSA key: %v", err)
	}
	public, err := json.Marshal(known.Public())
	if err != nil {
		t.Fatal(err)
	}
	symmetric := jose.JSONWebKey{Key: public, KeyID: "rsa", Algorithm: "HS256"}
	refuses(t, a, "public key as a symmetric one", sign(t, symmetric, i.claims(nil), nil), errNotToken)

	stranger := mallory.newest() // a key of the same id
	refuses(t, a, "key in the header", sign(t, stranger, i.claims(nil), map[jose.HeaderKey]any{"jwk": stranger.Public()}), errSignature)
	refuses(t, a, "address of keys in the header", sign(t, stranger, i.claims(nil), map[jose.HeaderKey]any{"jku": mallory.URL + "/keys"}), errSignature)
	for _, id := range []string{"../../etc/passwd", mallory.URL + "/keys"} {
		stranger.KeyID = id
		refuses(t, a, "key id "+id[:8], sign(t, stranger, i.claims(nil), nil), errKey)
	}
	if mallory.fetches.Load() != 0 {
		t.Error("a token made us fetch keys from an address of its own")
	}
	other := i.newest()
	other.Algorithm = "PS256"
	refuses(t, a, "algorithm that is not allowed", sign(t, other, i.claims(nil), nil), errNotToken)
}

func TestSkew(t *testing.T) {
	i := newIssuer(t)
	a := authenticator(t, newMemory(), i.config())
	now := time.Now()
	for name, changes := range map[string]map[string]any{
		"expired a moment ago":         {"exp": now.Add(-5 * time.Second).Unix()},
		"valid in a moment":            {"nbf": now.Add(20 * time.Second).Unix()},
		"issued in a moment":           {"iat": now.Add(20 * time.Second).Unix()},
		"without azp":                  {"azp": nil},
		"audience as text":             {"aud": "drogue"},
		"access token by RFC 9068":     {"azp": nil, "client_id": "drogue"},
		"ID token":                     {"typ": "ID"},
		"without type":                 {"typ": nil},
		"with a fraction of a second":  {"exp": float64(now.Add(time.Minute).UnixMilli()) / 1000},
		"with roles of unknown shapes": {"realm_access": "x", "resource_access": []int{1}},
	} {
		if identity, err := a.Check(t.Context(), Bearer(i.token(t, changes))); err != nil || identity.ID != "u-1" {
			t.Errorf("%s: %v, %v", name, identity, err)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	i := newIssuer(t)
	a := authenticator(t, newMemory(), i.config())
	old := i.token(t, nil)
	if _, err := a.Check(t.Context(), Bearer(old)); err != nil {
		t.Fatal(err)
	}
	i.add("second", jose.ES256)
	if _, err := a.Check(t.Context(), Bearer(i.token(t, nil))); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if _, err := a.Check(t.Context(), Bearer(old)); err != nil {
		t.Errorf("a token of the old key, which is still published: %v", err)
	}
	i.withdraw()
	i.add("third", jose.ES256)
	if _, err := a.Check(t.Context(), Bearer(i.token(t, nil))); err != nil {
		t.Errorf("a token of the newest key: %v", err)
	}
	refuses(t, a, "a remembered token whose key was withdrawn", old, errKey)
}

func TestProviders(t *testing.T) {
	people, cluster := newIssuer(t), newIssuer(t)
	c := cluster.config()
	c.Clients, c.Audiences, c.Prefix, c.NameClaim, c.RoleClaims = nil, []string{"https://fairlead"}, "k8s:", "sub", nil
	c.ServiceSubjects = []string{"system:serviceaccount:fairlead:registry", "system:serviceaccount:fairlead:*-oidc-trigger"}
	p := people.config()
	p.ServiceClients = []string{"services"}
	a := authenticator(t, newMemory(), p, c)
	f := func(token, wantID, wantName string, wantService bool) {
		t.Helper()
		identity, err := a.Check(t.Context(), Bearer(token))
		if err != nil || identity.ID != wantID || identity.Name != wantName || identity.Service != wantService || identity.Admin {
			t.Errorf("%+v, %v; want %s, %s, service %v", identity, err, wantID, wantName, wantService)
		}
	}
	account := func(subject string) map[string]any {
		return map[string]any{"sub": subject, "aud": []string{"https://fairlead"}, "azp": nil, "typ": nil, "realm_access": map[string]any{"roles": []string{"drogue-admin"}}}
	}
	f(people.token(t, nil), "u-1", "ada", false)
	f(people.token(t, map[string]any{"sub": "s-1", "azp": "services", "preferred_username": "service-account-services"}), "s-1", "service-account-services", true)
	f(cluster.token(t, account("system:serviceaccount:fairlead:registry")), "k8s:system:serviceaccount:fairlead:registry", "k8s:system:serviceaccount:fairlead:registry", true)
	f(cluster.token(t, account("system:serviceaccount:fairlead:a-oidc-trigger")), "k8s:system:serviceaccount:fairlead:a-oidc-trigger", "k8s:system:serviceaccount:fairlead:a-oidc-trigger", true)
	f(cluster.token(t, account("system:serviceaccount:other:a-oidc-trigger")), "k8s:system:serviceaccount:other:a-oidc-trigger", "k8s:system:serviceaccount:other:a-oidc-trigger", false)
	f(cluster.token(t, account("system:serviceaccount:fairlead:-oidc")), "k8s:system:serviceaccount:fairlead:-oidc", "k8s:system:serviceaccount:fairlead:-oidc", false)
	f(cluster.token(t, account("system:serviceaccount:default:default")), "k8s:system:serviceaccount:default:default", "k8s:system:serviceaccount:default:default", false)
	refuses(t, a, "subject like those of the cluster", people.token(t, map[string]any{"sub": "k8s:system:serviceaccount:fairlead:registry"}), errPrefixTaken)
	refuses(t, a, "signature of the other provider", sign(t, cluster.newest(), people.claims(nil), nil), errSignature)
}

func TestNames(t *testing.T) {
	i, store := newIssuer(t), newMemory()
	a := authenticator(t, store, i.config())
	f := func(changes map[string]any, want string) {
		t.Helper()
		if identity, err := a.Check(t.Context(), Bearer(i.token(t, changes))); err != nil || identity.Name != want {
			t.Errorf("%v: %+v, %v; want the name %q", changes, identity, err, want)
		}
	}
	f(nil, "ada")
	f(map[string]any{"sub": "u-2"}, "u-2")
	if id, err := store.UserByName(t.Context(), "u-2"); err != nil || id != "u-2" {
		t.Errorf("a user without a name of their own cannot be named: %q, %v", id, err)
	}
	f(map[string]any{"sub": "u-2", "preferred_username": "bob"}, "bob")
	f(map[string]any{"sub": "u-3", "preferred_username": "a\x00b"}, "u-3")
	f(map[string]any{"sub": "u-3", "preferred_username": nil}, "u-3")

	store.away = errAway
	token := i.token(t, map[string]any{"sub": "u-4", "preferred_username": "eve"})
	if _, err := a.Check(t.Context(), Bearer(token)); err != nil {
		t.Errorf("a directory that is away keeps users out: %v", err)
	}
	store.away = nil
	if _, err := a.Check(t.Context(), Bearer(token)); err != nil || store.names["u-4"] != "eve" {
		t.Errorf("a name is not remembered later: %v, %v", store.names, err)
	}
}

func TestProviderAway(t *testing.T) {
	i := newIssuer(t)
	i.away.Store(true)
	a := authenticator(t, newMemory(), i.config())
	_, err := a.Check(t.Context(), Bearer(i.token(t, nil)))
	if outcome.Of(err) != outcome.Unavailable {
		t.Errorf("%v, want unavailable", err)
	}
	w := httptest.NewRecorder()
	WriteHTTP(w, err)
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "127.0.0.1") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	i.away.Store(false)
	if _, err := a.Check(t.Context(), Bearer(i.token(t, nil))); err != nil {
		t.Errorf("after the provider is back: %v", err)
	}
}

func TestDiscoveryOfAnother(t *testing.T) {
	i := newIssuer(t)
	i.claimed = "https://mallory.example"
	a := authenticator(t, newMemory(), i.config())
	if _, err := a.Check(t.Context(), Bearer(i.token(t, nil))); outcome.Of(err) != outcome.Unavailable || i.fetches.Load() != 0 {
		t.Errorf("%v, %d fetches; want none from a document of another issuer", err, i.fetches.Load())
	}
	c := i.config()
	c.KeysURL = i.URL + "/keys"
	if _, err := authenticator(t, newMemory(), c).Check(t.Context(), Bearer(i.token(t, nil))); err != nil {
		t.Errorf("with a configured address of the keys: %v", err)
	}
}

// Whoever only has services for callers needs no store.
func TestWithoutStore(t *testing.T) {
	i := newIssuer(t)
	c := DefaultConfig()
	c.Providers = map[string]*ProviderConfig{"p": i.config()}
	a, err := New(c, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if identity, err := a.Check(t.Context(), Bearer(i.token(t, nil))); err != nil || identity.Name != "ada" {
		t.Errorf("%+v, %v", identity, err)
	}
	if _, err := a.Check(t.Context(), Bearer(vector)); reasonOf(err) != errNoToken {
		t.Errorf("an access token: %v", err)
	}
}

func TestAnonymous(t *testing.T) {
	a := authenticator(t, newMemory())
	identity, err := a.Authenticate(request("/"))
	if err != nil || !identity.Anonymous() || identity.MayCreate() {
		t.Errorf("%+v, %v", identity, err)
	}
	_, err = a.Authenticate(request("/?token=a", "Bearer a"))
	w := httptest.NewRecorder()
	WriteHTTP(w, err)
	const want = `{"error":"Forbidden","message":"Invalid request: More than one way of authentication provided"}`
	if w.Code != http.StatusForbidden || w.Body.String() != want {
		t.Errorf("%d %s, want %s", w.Code, w.Body, want)
	}
}

// What is logged of a refusal holds nothing of the credential.
func TestRefusalLog(t *testing.T) {
	core, logged := observer.New(zap.DebugLevel)
	i := newIssuer(t)
	c := DefaultConfig()
	c.Providers = map[string]*ProviderConfig{"p": i.config()}
	a, err := New(c, newMemory(), newMemory(), zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	token := i.token(t, map[string]any{"aud": "x", "sub": "hunter2"})
	_, _ = a.Check(context.Background(), Bearer(token))
	_, _ = a.Check(context.Background(), AccessToken{"hunter2", vector})
	if logged.Len() != 2 {
		t.Errorf("%d lines, want 2", logged.Len())
	}
	for _, line := range logged.All() {
		if text := fmt.Sprint(line.Message, line.ContextMap()); strings.Contains(text, "hunter2") || strings.Contains(text, token[:20]) || strings.Contains(text, "drg_") {
			t.Error(text)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	i := newIssuer(b)
	i.add("rsa", jose.RS256)
	c := DefaultConfig()
	c.Providers = map[string]*ProviderConfig{"p": i.config()}
	a, err := New(c, newMemory(), newMemory(), nil)
	if err != nil {
		b.Fatal(err)
	}
	token := i.token(b, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	b.Run("remembered", func(b *testing.B) {
		for b.Loop() {
			if _, err := a.Check(b.Context(), Bearer(token)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verified", func(b *testing.B) {
		for b.Loop() {
			a.verified.entries.Purge()
			if _, err := a.Check(b.Context(), Bearer(token)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
