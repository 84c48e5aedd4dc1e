package user

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/config"
)

func TestConfig(t *testing.T) {
	c := DefaultConfig()
	err := config.Load("FAIRLEAD_USER", []string{
		"FAIRLEAD_USER_PROVIDERS_KEYCLOAK_ISSUER=https://sso.example.com/realms/drogue",
		"FAIRLEAD_USER_PROVIDERS_KEYCLOAK_CLIENTS=drogue,direct",
		"FAIRLEAD_USER_PROVIDERS_CLUSTER_ISSUER=https://kubernetes.default.svc",
		"FAIRLEAD_USER_PROVIDERS_CLUSTER_AUDIENCES=fairlead",
		"FAIRLEAD_USER_PROVIDERS_CLUSTER_PREFIX=k8s:",
		"FAIRLEAD_USER_PROVIDERS_CLUSTER_ROLE_CLAIMS=",
		"FAIRLEAD_USER_PROVIDERS_CLUSTER_KEYS_URL=https://kubernetes.default.svc/openid/v1/jwks",
	}, &c)
	if err := errors.Join(err, config.Validate("user", &c)); err != nil {
		t.Fatal(err)
	}
	keycloak, cluster := c.Providers["keycloak"], c.Providers["cluster"]
	if len(c.Providers) != 2 || len(keycloak.Clients) != 2 || len(keycloak.RoleClaims) != 2 || len(cluster.RoleClaims) != 0 || cluster.Skew != 30*time.Second {
		t.Errorf("%+v %+v", keycloak, cluster)
	}
}

func TestValidate(t *testing.T) {
	provider := func(change func(*ProviderConfig)) *ProviderConfig {
		p := &ProviderConfig{}
		p.SetDefaults()
		p.Issuer, p.Clients = "https://a.example", []string{"drogue"}
		change(p)
		return p
	}
	f := func(want string, changes ...func(*ProviderConfig)) {
		t.Helper()
		c := DefaultConfig()
		c.Providers = map[string]*ProviderConfig{}
		for n, change := range changes {
			c.Providers[fmt.Sprint("p", n)] = provider(change)
		}
		err := config.Validate("user", &c)
		if (want == "") != (err == nil) || (err != nil && !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("")
	f("", func(*ProviderConfig) {})
	f("", func(p *ProviderConfig) { p.Issuer = "http://127.0.0.1:5556/dex" })
	f("", func(p *ProviderConfig) { p.Issuer = "http://localhost:8080" })
	f("", func(p *ProviderConfig) { p.Issuer, p.AllowHTTP = "http://keycloak", true })
	f("", func(p *ProviderConfig) { p.Clients, p.Audiences = nil, []string{"x"} })
	f("user.providers.p0.issuer", func(p *ProviderConfig) { p.Issuer = "" })
	f("user.providers.p0.issuer", func(p *ProviderConfig) { p.Issuer = "http://keycloak" })
	f("user.providers.p0.issuer", func(p *ProviderConfig) { p.Issuer = "https://u:p@a.example" })
	f("user.providers.p0.issuer", func(p *ProviderConfig) { p.Issuer = "https://a.example?x" })
	f("user.providers.p0.keysURL", func(p *ProviderConfig) { p.KeysURL = "file:///etc/passwd" })
	f("user.providers.p0.clients", func(p *ProviderConfig) { p.Clients = nil })
	f("user.providers.p0.algorithms", func(p *ProviderConfig) { p.Algorithms = []string{"RS256", "none"} })
	f("user.providers.p0.algorithms", func(p *ProviderConfig) { p.Algorithms = []string{"HS256"} })
	f("user.providers.p0.algorithms", func(p *ProviderConfig) { p.Algorithms = nil })
	f("user.providers.p0.skew", func(p *ProviderConfig) { p.Skew = time.Hour })
	f("user.providers.p0.keysTTL", func(p *ProviderConfig) { p.KeysTTL = 0 })
	f("user.providers.p0.keysHardTTL", func(p *ProviderConfig) { p.KeysHardTTL = time.Minute })
	f("user.providers.p0.timeout", func(p *ProviderConfig) { p.Timeout = time.Hour })
	f("user.providers: p0 and p1 have the same issuer", func(*ProviderConfig) {}, func(p *ProviderConfig) { p.Prefix = "x" })
	f("user.providers: p0 and p1 have the same prefix", func(*ProviderConfig) {}, func(p *ProviderConfig) { p.Issuer = "https://b.example" })

	bad := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if err := config.Validate("user", &c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	bad("user.verified", func(c *Config) { c.Verified = 0 })
	bad("user.tokens.perUser", func(c *Config) { c.Tokens.PerUser = 0 })
	bad("user.tokens.maxLifetime", func(c *Config) { c.Tokens.MaxLifetime = -1 })
}

func TestValidateSource(t *testing.T) {
	f := func(want string, c SourceConfig) {
		t.Helper()
		if c.Timeout == 0 {
			c.Timeout = time.Second
		}
		if err := c.Validate(); (want == "") != (err == nil) || (err != nil && !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	f("", DefaultSourceConfig())
	f("tokenFile", SourceConfig{TokenFile: "x", TokenURL: "https://a/token"})
	f("tokenURL", SourceConfig{TokenURL: "a/token", ClientID: "x"})
	f("clientID", SourceConfig{TokenURL: "https://a/token"})
	f("clientSecretFile", SourceConfig{TokenURL: "https://a/token", ClientID: "x", ClientSecret: "y", ClientSecretFile: "z"})
	f("timeout", SourceConfig{Timeout: time.Millisecond})
}

func TestNewNamesTheProvider(t *testing.T) {
	c := DefaultConfig()
	p := &ProviderConfig{}
	p.SetDefaults()
	p.Issuer, p.CAFile = "https://a.example", "no-such-file.pem"
	c.Providers = map[string]*ProviderConfig{"corp": p}
	if _, err := New(c, newMemory(), newMemory(), nil); err == nil || !strings.Contains(err.Error(), "corp: caFile") || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	p.CAFile = write(t, "ca.pem", "nothing", time.Now())
	if _, err := New(c, newMemory(), newMemory(), nil); err == nil || !strings.Contains(err.Error(), "caFile: holds no certificate") {
		t.Error(err)
	}
}
