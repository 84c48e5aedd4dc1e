package user

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
)

// An Authenticator finds out who a caller is. It is safe for concurrent use.
type Authenticator struct {
	providers map[string]*provider // by issuer
	prefixes  []string             // of all providers
	store     TokenFinder          // may be nil
	directory Directory            // may be nil
	verified  *verified
	log       *zap.Logger
	metrics   *metrics
}

// New makes an authenticator. It connects to no provider before the first token of that provider; one that is away does
// not keep others, or access tokens, from working. Without a store no access token is taken, without a directory no name is
// remembered, and without a log nothing is logged.
func New(c Config, store TokenFinder, directory Directory, log *zap.Logger) (*Authenticator, error) {
	a := &Authenticator{
		providers: map[string]*provider{},
		store:     store,
		directory: directory,
		verified:  newVerified(c.Verified),
		log:       refusal.Sampled(log),
	}
	a.metrics = newMetrics(a.verified.hits.Load, a.verified.len)
	for _, name := range slices.Sorted(maps.Keys(c.Providers)) {
		p, err := newProvider(name, *c.Providers[name], a.metrics)
		if err != nil {
			return nil, err
		}
		a.providers[p.config.Issuer] = p
		a.prefixes = append(a.prefixes, p.config.Prefix)
	}
	return a, nil
}

// Authenticate finds out who sent a request. No credential is the anonymous identity. Errors carry an outcome and are for
// WriteHTTP: outcome.Unauthenticated for a credential that is not taken, or for more than one; outcome.Invalid for a query
// that does not parse; outcome.Unavailable when nobody can be asked.
func (a *Authenticator) Authenticate(r *http.Request) (*Identity, error) {
	credential, err := FromHTTP(r)
	if err != nil {
		a.metrics.decided(nil, err)
		return nil, err
	}
	return a.Check(r.Context(), credential)
}

// Check finds out who showed a credential, however it came. Nil is the anonymous identity.
func (a *Authenticator) Check(ctx context.Context, credential Credential) (*Identity, error) {
	identity, err := a.check(ctx, credential)
	a.metrics.decided(credential, err)
	if r := reasonOf(err); r != "" {
		a.log.Info("a user is not admitted", zap.String("reason", string(r)))
	}
	return identity, err
}

func (a *Authenticator) check(ctx context.Context, credential Credential) (*Identity, error) {
	switch c := credential.(type) {
	case nil:
		return &Identity{}, nil
	case AccessToken:
		return a.accessToken(ctx, c.Secret, c.User)
	case Bearer:
		if strings.HasPrefix(string(c), secretKind) {
			return a.accessToken(ctx, string(c), "")
		}
		return a.bearer(ctx, string(c))
	default:
		return nil, refused(errScheme)
	}
}

// accessToken looks an access token up. It is asked for each time, so that one that is deleted ends at once. A user that
// is given must be the token's.
func (a *Authenticator) accessToken(ctx context.Context, secret, user string) (*Identity, error) {
	if _, ok := splitSecret(secret); !ok {
		return nil, refused(errNotToken)
	}
	return a.knownToken(ctx, hashSecret(secret), user)
}

// knownToken looks an access token up by its hash.
func (a *Authenticator) knownToken(ctx context.Context, hash, user string) (*Identity, error) {
	if a.store == nil {
		return nil, refused(errNoToken)
	}
	token, err := a.store.FindToken(ctx, hash)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil, refused(errNoToken)
	case err != nil:
		return nil, unavailable("access tokens cannot be read", err)
	case subtle.ConstantTimeCompare([]byte(token.Hash), []byte(hash)) != 1 || token.UserID == "":
		return nil, refused(errNoToken)
	case user != "" && user != token.UserName && user != token.UserID:
		return nil, refused(errTokenUser)
	case !token.Expires.IsZero() && !time.Now().Before(token.Expires):
		return nil, refused(errTokenEnd)
	}
	return &Identity{ID: token.UserID, Name: token.UserName, Scope: token.Scope, ByAccessToken: true, Until: token.Expires}, nil
}

// bearer takes a token of one of the providers.
func (a *Authenticator) bearer(ctx context.Context, token string) (*Identity, error) {
	if identity, found := a.verified.get(token); found {
		return identity, nil
	}
	p, ok := a.providers[presentedIssuer(token)]
	if !ok {
		return nil, refused(errIssuer)
	}
	c, print, err := p.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if r := c.check(&p.config, time.Now()); r != "" {
		return nil, refused(r)
	}
	identity := c.identity(&p.config)
	if a.belongsToAnother(identity.ID, p.config.Prefix) {
		return nil, refused(errPrefixTaken)
	}
	if a.remember(ctx, identity) {
		a.verified.put(token, entry{identity: identity, keys: p.keys, print: print, until: identity.Until.Add(p.config.Skew)})
	}
	return identity, nil
}

// presentedIssuer is what a token says of its issuer before anybody has checked it. It only chooses whose keys to check
// it with.
func presentedIssuer(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var c claims
	if json.Unmarshal(decoded, &c) != nil {
		return ""
	}
	return c.text("iss")
}

// belongsToAnother tells whether an ID looks like one of a provider with a longer prefix. Without this, somebody who may
// choose their subject at a provider without a prefix could be taken for a user of another one.
func (a *Authenticator) belongsToAnother(id, prefix string) bool {
	return slices.ContainsFunc(a.prefixes, func(other string) bool {
		return len(other) > len(prefix) && strings.HasPrefix(id, other)
	})
}

// remember puts the user into the directory. Who comes with a name that is another's goes by their ID. It tells whether
// that is settled: a directory that cannot be asked keeps nobody out, and is asked again the next time.
func (a *Authenticator) remember(ctx context.Context, i *Identity) (settled bool) {
	if a.directory == nil {
		return true
	}
	err := a.directory.RememberUser(ctx, i.ID, i.Name)
	if errors.Is(err, ErrNameTaken) {
		i.Name = i.ID
		err = a.directory.RememberUser(ctx, i.ID, i.Name)
	}
	if err != nil && !errors.Is(err, ErrNameTaken) {
		a.log.Warn("a user's name is not remembered", zap.Error(err))
		return false
	}
	return true
}
