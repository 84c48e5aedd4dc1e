package user

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestRoles(t *testing.T) {
	f := func(document string, paths []string, want ...string) {
		t.Helper()
		var c claims
		if err := json.Unmarshal([]byte(document), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.roles(&ProviderConfig{RoleClaims: paths, Clients: []string{"drogue"}, ServiceClients: []string{"services"}}); !slices.Equal(got, want) {
			t.Errorf("%s at %v: %v, want %v", document, paths, got, want)
		}
	}
	keycloak := []string{"realm_access.roles", "resource_access.*.roles"}
	f(`{"realm_access":{"roles":["b","a"]},"resource_access":{"services":{"roles":["c"]},"drogue":{"roles":["a"]},"other":{"roles":["x"]}}}`, keycloak, "a", "b", "c")
	f(`{"realm_access":{"roles":"admin"}}`, keycloak, "admin")
	f(`{"realm_access":["roles"],"resource_access":{"drogue":7}}`, keycloak)
	f(`{"realm_access":{"roles":["a",7,null,{"b":1}]}}`, keycloak, "a")
	f(`{"groups":["a"]}`, []string{"groups"}, "a")
	f(`{"groups":["a"]}`, nil)
	f(`{"https://x.example/roles":["a"],"https://x":{"example/roles":["b"]}}`, []string{"https://x.example/roles"}, "a")
	many, _ := json.Marshal(map[string]any{"groups": make([]string, 5000)})
	f(string(many), []string{"groups"}, "")
}

// Whatever a token holds, reading it ends, and nothing unusable comes out.
func FuzzClaims(f *testing.F) {
	f.Add(`{"iss":"i","sub":"s","aud":["drogue"],"exp":4102444800}`)
	f.Add(`{"iss":"i","sub":"s","aud":"drogue","exp":1e300,"nbf":-1,"iat":"x"}`)
	f.Add(`{"iss":7,"azp":[],"realm_access":{"roles":[[]]},"preferred_username":"\u0000"}`)
	p := &ProviderConfig{}
	p.SetDefaults()
	p.Clients = []string{"drogue"}
	f.Fuzz(func(t *testing.T, payload string) {
		_ = presentedIssuer(payload)
		issuer := presentedIssuer("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".")
		var c claims
		if json.Unmarshal([]byte(payload), &c) != nil {
			if issuer != "" {
				t.Errorf("issuer %q of what is no object", issuer)
			}
			return
		}
		now := time.Now()
		if c.check(p, now) != "" {
			return
		}
		i := c.identity(p)
		if i.Anonymous() || !utf8.ValidString(i.Name) || strings.ContainsAny(i.ID+i.Name, "\x00\n") || !i.Until.Add(p.Skew).After(now) {
			t.Errorf("%+v", i)
		}
	})
}
