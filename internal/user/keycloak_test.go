//go:build integration

package user

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestMain(m *testing.M) { os.Exit(neighbour.Main(m)) }

// A realm is one realm of a running Keycloak.
type realm struct {
	t      *testing.T
	server *neighbour.Keycloak
	name   string
}

// signIn gives what the token endpoint gives to a user at a client.
func (r realm) signIn(client, user string) map[string]any {
	r.t.Helper()
	tokens, err := r.server.Tokens(r.t.Context(), r.name, url.Values{
		"grant_type": {"password"}, "client_id": {client}, "username": {user}, "password": {"hey-rodney"}, "scope": {"openid"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return tokens
}

func (r realm) token(client, user string) string {
	r.t.Helper()
	token, _ := r.signIn(client, user)["access_token"].(string)
	return token
}

// config takes the realm's tokens.
func (r realm) config() *ProviderConfig {
	c := &ProviderConfig{}
	c.SetDefaults()
	c.Issuer = r.server.Issuer(r.name)
	c.Clients, c.ServiceClients, c.Audiences = []string{"drogue", "elliptic", "brief", "unaware"}, []string{"services"}, []string{"drogue"}
	c.KeysTTL = time.Second
	return c
}

func TestKeycloak(t *testing.T) {
	document, err := os.ReadFile("testdata/drogue.json")
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(document), `"realm": "drogue"`, `"realm": "other"`, 1)
	server, err := neighbour.StartKeycloak(t.Context(), string(document), other)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	in := func(t *testing.T) realm { return realm{t, server, "drogue"} }
	t.Run("people", func(t *testing.T) { keycloakPeople(t, in(t)) })
	t.Run("services", func(t *testing.T) { keycloakServices(t, in(t)) })
	t.Run("refusals", func(t *testing.T) { keycloakRefusals(t, in(t)) })
	t.Run("forgeries", func(t *testing.T) { keycloakForgeries(t, in(t)) })
	t.Run("expiry", func(t *testing.T) { keycloakExpiry(t, in(t)) })
	t.Run("rotation", func(t *testing.T) { keycloakRotation(t, in(t)) })
	t.Run("outage", func(t *testing.T) { keycloakOutage(t, in(t)) })
}

func keycloakPeople(t *testing.T, r realm) {
	store := newMemory()
	a := authenticator(t, store, r.config())
	f := func(token, name string, admin bool) {
		t.Helper()
		identity, err := a.Check(t.Context(), Bearer(token))
		if err != nil || identity.Name != name || identity.Admin != admin || identity.Service || store.names[identity.ID] != name {
			t.Errorf("%s: %+v, %v", name, identity, err)
		}
	}
	f(r.token("drogue", "ada"), "ada", true)
	f(r.token("drogue", "bob"), "bob", false)
	f(r.token("elliptic", "bob"), "bob", false)
	identity, _ := r.signIn("drogue", "ada")["id_token"].(string)
	f(identity, "ada", false) // Keycloak puts no roles into ID tokens
}

func keycloakServices(t *testing.T, r realm) {
	source := newSource(t, SourceConfig{TokenURL: r.server.Issuer(r.name) + "/protocol/openid-connect/token", ClientID: "services", ClientSecret: "hunter2"})
	a := authenticator(t, newMemory(), r.config())
	call := request("/")
	if err := source.Sign(call); err != nil {
		t.Fatal(err)
	}
	identity, err := a.Authenticate(call)
	if err != nil || !identity.Service || identity.Admin || identity.Name != "service-account-services" {
		t.Errorf("%+v, %v", identity, err)
	}
	wrong := newSource(t, SourceConfig{TokenURL: r.server.Issuer(r.name) + "/protocol/openid-connect/token", ClientID: "services", ClientSecret: "hunter3"})
	if _, err := wrong.Token(); outcome.Of(err) != outcome.Unavailable || strings.Contains(err.Error(), "hunter3") {
		t.Errorf("with a wrong secret: %v", err)
	}
}

func keycloakRefusals(t *testing.T, r realm) {
	a := authenticator(t, newMemory(), r.config())
	refresh, _ := r.signIn("drogue", "ada")["refresh_token"].(string)
	refuses(t, a, "refresh token", refresh, errNotToken)
	refuses(t, a, "token without our audience", r.token("unaware", "ada"), errAudience)
	refuses(t, a, "token of a client that we do not know", r.token("stranger", "ada"), errClient)
	refuses(t, a, "token of another realm", realm{t, r.server, "other"}.token("drogue", "ada"), errIssuer)
}

func keycloakForgeries(t *testing.T, r realm) {
	a := authenticator(t, newMemory(), r.config())
	good := strings.Split(r.token("drogue", "bob"), ".")
	encode := base64.RawURLEncoding.EncodeToString
	payload, err := base64.RawURLEncoding.DecodeString(good[1])
	if err != nil {
		t.Fatal(err)
	}
	admin := encode([]byte(strings.Replace(string(payload), "drogue-user", "drogue-admin", 1)))
	if admin == good[1] {
		t.Fatal("the token does not hold the role that is to be forged")
	}
	refuses(t, a, "changed roles", good[0]+"."+admin+"."+good[2], errSignature)
	refuses(t, a, "alg none", encode([]byte(`{"alg":"none","typ":"JWT"}`))+"."+admin+".", errNotToken)
	refuses(t, a, "alg HS256", encode([]byte(`{"alg":"HS256","typ":"JWT"}`))+"."+admin+"."+good[2], errNotToken)

	elsewhere := realm{t, r.server, "other"}
	foreign := strings.Split(elsewhere.token("drogue", "ada"), ".")
	refuses(t, a, "key of another realm", foreign[0]+"."+good[1]+"."+foreign[2], errKey)
}

func keycloakExpiry(t *testing.T, r realm) {
	c := r.config()
	c.Skew = 0
	a := authenticator(t, newMemory(), c)
	token := r.token("brief", "ada")
	if _, err := a.Check(t.Context(), Bearer(token)); err != nil {
		t.Fatalf("a token of two seconds: %v", err)
	}
	neighbour.Eventually(t, "the token to be refused, although it is remembered", func() bool {
		_, err := a.Check(t.Context(), Bearer(token))
		return reasonOf(err) == errExpired
	})
}

// keycloakRotation adds a key that comes before the present one, and then takes that one away.
func keycloakRotation(t *testing.T, r realm) {
	a := authenticator(t, newMemory(), r.config())
	old := r.token("drogue", "ada")
	if _, err := a.Check(t.Context(), Bearer(old)); err != nil {
		t.Fatal(err)
	}
	var realmDocument struct{ ID string }
	if err := r.server.Administer(t.Context(), http.MethodGet, "/realms/drogue", nil, &realmDocument); err != nil {
		t.Fatal(err)
	}
	var present []struct{ ID, Name, ProviderID string }
	if err := r.server.Administer(t.Context(), http.MethodGet, "/realms/drogue/components?type=org.keycloak.keys.KeyProvider", nil, &present); err != nil {
		t.Fatal(err)
	}
	err := r.server.Administer(t.Context(), http.MethodPost, "/realms/drogue/components", map[string]any{
		"name": "next", "parentId": realmDocument.ID, "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
		"config": map[string][]string{"priority": {"200"}, "enabled": {"true"}, "active": {"true"}, "algorithm": {"RS256"}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	next := r.token("drogue", "ada")
	if keyOf(t, next) == keyOf(t, old) {
		t.Fatal("Keycloak still signs with the old key")
	}
	for name, token := range map[string]string{"new": next, "old": old} {
		if _, err := a.Check(t.Context(), Bearer(token)); err != nil {
			t.Errorf("a token of the %s key: %v", name, err)
		}
	}
	for _, key := range present {
		if key.ProviderID == "rsa-generated" {
			if err := r.server.Administer(t.Context(), http.MethodDelete, "/realms/drogue/components/"+key.ID, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	neighbour.Eventually(t, "the token of the withdrawn key to be refused, although it is remembered", func() bool {
		_, err := a.Check(t.Context(), Bearer(old))
		return outcome.Of(err) == outcome.Unauthenticated && reasonOf(err) == errKey
	})
	if _, err := a.Check(t.Context(), Bearer(next)); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
}

// keyOf is the header of a token, which names its key.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	header, _, ok := strings.Cut(token, ".")
	if !ok {
		t.Fatal("not a token")
	}
	return header
}

func keycloakOutage(t *testing.T, r realm) {
	known, stranger := authenticator(t, newMemory(), r.config()), authenticator(t, newMemory(), r.config())
	token, second := r.token("drogue", "ada"), r.token("drogue", "bob")
	if _, err := known.Check(t.Context(), Bearer(token)); err != nil {
		t.Fatal(err)
	}
	r.server.Kill()
	for name, token := range map[string]string{"a remembered token": token, "another one of the same key": second} {
		if _, err := known.Check(t.Context(), Bearer(token)); err != nil {
			t.Errorf("without Keycloak, %s: %v", name, err)
		}
	}
	if _, err := stranger.Check(t.Context(), Bearer(token)); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("without Keycloak and its keys: %v, want unavailable", err)
	}
}
