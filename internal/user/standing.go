package user

import (
	"context"
	"strings"
	"time"
)

// A Standing is what a session keeps of the credential that it was admitted with, to have it judged again. Nobody can sign in with
// it. The zero value is nobody's.
type Standing struct {
	identity *Identity
	hash     string // of an access token; "" for everything else
	user     string // who was named with the access token; "" for nobody
}

// Admit is Check, for what lives longer than a request.
func (a *Authenticator) Admit(ctx context.Context, credential Credential) (*Identity, Standing, error) {
	identity, err := a.Check(ctx, credential)
	if err != nil {
		return nil, Standing{}, err
	}
	standing := Standing{identity: identity}
	switch c := credential.(type) {
	case AccessToken:
		standing.hash, standing.user = hashSecret(c.Secret), c.User
	case Bearer:
		if strings.HasPrefix(string(c), secretKind) {
			standing.hash = hashSecret(string(c))
		}
	}
	return identity, standing, nil
}

// Again judges what a session was admitted with again: an access token must still be there, and nothing may have expired. Its errors
// are those of Check.
func (a *Authenticator) Again(ctx context.Context, s Standing) (*Identity, error) {
	switch {
	case s.hash != "":
		return a.knownToken(ctx, s.hash, s.user)
	case s.identity == nil:
		return &Identity{}, nil
	case !s.identity.Until.IsZero() && !time.Now().Before(s.identity.Until):
		return nil, refused(errExpired)
	default:
		return s.identity, nil
	}
}
