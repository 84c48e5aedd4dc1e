package identity

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The clients, by the names that they have in Drogue Cloud's realm.
const (
	People   = "drogue"   // programs that people log in with; it has no secret
	Services = "services" // services, which sign in as themselves
)

// A client may ask for tokens.
type client struct {
	id     string
	grants []oidc.GrantType
	secret bool
}

var _ op.Client = (*client)(nil)

// people are programs on this machine: the answer goes back to a loopback address, on any port (RFC 8252 section 7.3).
func people() *client {
	return &client{id: People, grants: []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode}}
}

func services() *client {
	return &client{id: Services, grants: []oidc.GrantType{oidc.GrantTypeClientCredentials}, secret: true}
}

// GetID is the client id.
func (c *client) GetID() string { return c.id }

// RedirectURIs are those of drg and of fairlead; the port does not matter.
func (c *client) RedirectURIs() []string {
	if c.secret {
		return nil
	}
	return []string{"http://localhost", "http://localhost/", "http://127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1/callback"}
}

// PostLogoutRedirectURIs are none.
func (c *client) PostLogoutRedirectURIs() []string { return nil }

// ApplicationType is that of a program on this machine.
func (c *client) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }

// AuthMethod is how the client shows who it is.
func (c *client) AuthMethod() oidc.AuthMethod {
	if c.secret {
		return oidc.AuthMethodBasic
	}
	return oidc.AuthMethodNone
}

// ResponseTypes is the authorization code and nothing else.
func (c *client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

// GrantTypes are the ways to tokens.
func (c *client) GrantTypes() []oidc.GrantType { return c.grants }

// LoginURL is the page for one request.
func (c *client) LoginURL(id string) string { return loginPath + "?id=" + id }

// AccessTokenType is one that can be checked without asking back.
func (c *client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// IDTokenLifetime is that of every token.
func (c *client) IDTokenLifetime() time.Duration { return tokenLifetime }

// DevMode stays off: it would allow every redirect.
func (c *client) DevMode() bool { return false }

// RestrictAdditionalIdTokenScopes restricts nothing.
func (c *client) RestrictAdditionalIdTokenScopes() func([]string) []string { return same }

// RestrictAdditionalAccessTokenScopes restricts nothing.
func (c *client) RestrictAdditionalAccessTokenScopes() func([]string) []string { return same }

func same(scopes []string) []string { return scopes }

// IsScopeAllowed allows no scope beyond those of OpenID.
func (c *client) IsScopeAllowed(string) bool { return false }

// IDTokenUserinfoClaimsAssertion puts the user's name into ID tokens.
func (c *client) IDTokenUserinfoClaimsAssertion() bool { return true }

// ClockSkew is none on one machine.
func (c *client) ClockSkew() time.Duration { return 0 }
