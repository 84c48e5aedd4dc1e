package user

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Config says whose word is taken for who somebody is.
type Config struct {
	Providers map[string]*ProviderConfig `doc:"OpenID providers by a name of your choice; none leaves access tokens only"`
	Verified  int                        `doc:"number of verified tokens that are remembered until they expire; beyond, another one gives way"`
	Tokens    TokensConfig
}

// DefaultConfig has no provider.
func DefaultConfig() Config { return Config{Verified: 10_000, Tokens: DefaultTokensConfig()} }

// Validate names the first bad field. That of a provider is checked by the provider.
func (c *Config) Validate() error {
	if c.Verified < 1 || c.Verified > 1_000_000 {
		return errors.New("verified: must lie between 1 and 1000000")
	}
	issuers, prefixes := map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		p := c.Providers[name]
		if other, taken := issuers[p.Issuer]; taken {
			return fmt.Errorf("providers: %s and %s have the same issuer; give one provider all clients", other, name)
		}
		if other, taken := prefixes[p.Prefix]; taken {
			return fmt.Errorf("providers: %s and %s have the same prefix, so that their users could not be told apart", other, name)
		}
		issuers[p.Issuer], prefixes[p.Prefix] = name, name
	}
	return nil
}

// A ProviderConfig says which tokens of one OpenID provider are taken, and what is read in them.
type ProviderConfig struct {
	Issuer          string        `doc:"URL of the provider, exactly as its tokens have it; http only on this machine or with allowHTTP"`
	Clients         []string      `doc:"client ids of people's programs: the azp or client_id of a token, if it has one, must be one of them"`
	ServiceClients  []string      `doc:"client ids with which only services sign in: every token issued to one of them is a service's, which may read and write everything"`
	ServiceSubjects []string      `doc:"subjects that are services, such as system:serviceaccount:fairlead:registry; one * in each stands for whatever"`
	Audiences       []string      `doc:"values of which the aud of a token must contain one; none takes the ids of the clients"`
	Prefix          string        `doc:"text before each user id and name of this provider; only one provider may have none"`
	NameClaim       string        `doc:"claim that holds the name by which people call a user"`
	RoleClaims      []string      `doc:"paths of the claims that hold roles; a part * stands for the id of each client; empty takes no roles"`
	AdminRole       string        `doc:"role that makes an administrator of this instance; empty for none"`
	Algorithms      []string      `doc:"signature algorithms that are accepted, of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA"`
	Skew            time.Duration `doc:"how far the provider's clock may differ from ours; 0s to 5m"`
	KeysURL         string        `doc:"URL of the provider's keys; empty asks its discovery document"`
	KeysTTL         time.Duration `doc:"duration after which the keys are fetched anew; a key that the provider has withdrawn is trusted for so long"`
	KeysHardTTL     time.Duration `doc:"duration for which the keys are used while the provider cannot be reached"`
	Timeout         time.Duration `doc:"longest time for one request to the provider"`
	CAFile          string        `doc:"file with PEM certificates to trust the provider's server by; empty trusts those of the system"`
	TokenFile       string        `doc:"file with a bearer token for requests to the hosts of issuer and keysURL, as Kubernetes asks for"`
	AllowHTTP       bool          `doc:"allow an issuer with http that is not on this machine"`
}

// SetDefaults suits Keycloak.
func (c *ProviderConfig) SetDefaults() {
	*c = ProviderConfig{
		NameClaim:   "preferred_username",
		RoleClaims:  []string{"realm_access.roles", "resource_access.*.roles"},
		AdminRole:   "drogue-admin",
		Algorithms:  []string{"RS256", "ES256", "EdDSA"},
		Skew:        30 * time.Second,
		KeysTTL:     10 * time.Minute,
		KeysHardTTL: time.Hour,
		Timeout:     5 * time.Second,
	}
}

// algorithms are those that a provider may sign with. None of them is symmetric: a provider's public key never becomes a secret.
func algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// Validate names the first bad field.
func (c *ProviderConfig) Validate() error {
	if err := c.checkURL(c.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if c.KeysURL != "" {
		if err := c.checkURL(c.KeysURL); err != nil {
			return fmt.Errorf("keysURL: %w", err)
		}
	}
	switch {
	case len(c.audiences()) == 0:
		return errors.New("clients: at least one client, or one of audiences, is needed")
	case slices.ContainsFunc(c.Algorithms, func(a string) bool { return !slices.Contains(algorithms(), a) }):
		return fmt.Errorf("algorithms: must be some of %s", strings.Join(algorithms(), ", "))
	case len(c.Algorithms) == 0:
		return errors.New("algorithms: at least one is needed")
	case c.Skew < 0 || c.Skew > 5*time.Minute:
		return errors.New("skew: must lie between 0s and 5m")
	case c.KeysTTL < time.Second || c.KeysTTL > 24*time.Hour:
		return errors.New("keysTTL: must lie between 1s and 24h")
	case c.KeysHardTTL < c.KeysTTL:
		return errors.New("keysHardTTL: must not be below keysTTL")
	case c.Timeout < 100*time.Millisecond || c.Timeout > 25*time.Second:
		return errors.New("timeout: must lie between 100ms and 25s")
	}
	return nil
}

func (c *ProviderConfig) checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("must be an https URL without user, query and fragment")
	case u.Scheme == "http" && !c.AllowHTTP && !isLoopback(u.Hostname()):
		return errors.New("must be an https URL, since who sits between could make keys of their own")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// clients are all client ids that a token may be issued to.
func (c *ProviderConfig) clients() []string { return slices.Concat(c.Clients, c.ServiceClients) }

// audiences are the values of which a token's aud must contain one.
func (c *ProviderConfig) audiences() []string {
	if len(c.Audiences) > 0 {
		return c.Audiences
	}
	return c.clients()
}

// A TokensConfig bounds access tokens.
type TokensConfig struct {
	PerUser     int           `doc:"number of access tokens that one user may have"`
	MaxLifetime time.Duration `doc:"longest time until an access token expires; 0s lets them live for ever"`
}

// DefaultTokensConfig lets tokens live for ever, as those of Drogue Cloud do.
func DefaultTokensConfig() TokensConfig { return TokensConfig{PerUser: 100} }

// Validate names the first bad field.
func (c *TokensConfig) Validate() error {
	switch {
	case c.PerUser < 1 || c.PerUser > 10_000:
		return errors.New("perUser: must lie between 1 and 10000")
	case c.MaxLifetime < 0:
		return errors.New("maxLifetime: must not be negative")
	}
	return nil
}
