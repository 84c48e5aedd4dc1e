package identity

import (
	"slices"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// A request is somebody who wants to log in with a browser.
type request struct {
	id    string
	asked *oidc.AuthRequest

	mu   sync.Mutex
	done time.Time // when the user has logged in; zero before
}

var _ op.AuthRequest = (*request)(nil)

// GetID names the request.
func (r *request) GetID() string { return r.id }

// GetACR is not kept.
func (r *request) GetACR() string { return "" }

// GetAMR is how the user logged in.
func (r *request) GetAMR() []string { return []string{"pwd"} }

// GetAudience is for whom tokens are.
func (r *request) GetAudience() []string { return []string{r.asked.ClientID} }

// GetAuthTime is when the user logged in.
func (r *request) GetAuthTime() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

// GetClientID is who asked.
func (r *request) GetClientID() string { return r.asked.ClientID }

// GetCodeChallenge is what the program proves itself by (RFC 7636).
func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.asked.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.asked.CodeChallenge, Method: r.asked.CodeChallengeMethod}
}

// GetNonce comes back in the ID token.
func (r *request) GetNonce() string { return r.asked.Nonce }

// GetRedirectURI is where the code goes.
func (r *request) GetRedirectURI() string { return r.asked.RedirectURI }

// GetResponseType is a code.
func (r *request) GetResponseType() oidc.ResponseType { return r.asked.ResponseType }

// GetResponseMode is how the code goes there.
func (r *request) GetResponseMode() oidc.ResponseMode { return r.asked.ResponseMode }

// GetScopes are what was asked for.
func (r *request) GetScopes() []string { return r.asked.Scopes }

// GetState comes back with the code.
func (r *request) GetState() string { return r.asked.State }

// GetSubject is the user.
func (r *request) GetSubject() string { return UserID }

// Done tells whether the user has logged in.
func (r *request) Done() bool { return !r.GetAuthTime().IsZero() }

func (r *request) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = time.Now()
}

// A session is what a refresh token stands for.
type session struct {
	client string
	scopes []string
	since  time.Time
}

var _ op.RefreshTokenRequest = (*session)(nil)

// GetAMR is how the user logged in.
func (s *session) GetAMR() []string { return []string{"pwd"} }

// GetAudience is for whom tokens are.
func (s *session) GetAudience() []string { return []string{s.client} }

// GetAuthTime is when the user logged in.
func (s *session) GetAuthTime() time.Time { return s.since }

// GetClientID is whose session it is.
func (s *session) GetClientID() string { return s.client }

// GetScopes are what was asked for.
func (s *session) GetScopes() []string { return s.scopes }

// GetSubject is the user.
func (s *session) GetSubject() string { return UserID }

// SetCurrentScopes narrows the tokens that are made now.
func (s *session) SetCurrentScopes(scopes []string) { s.scopes = scopes }

func (s *session) copy() *session {
	return &session{client: s.client, scopes: slices.Clone(s.scopes), since: s.since}
}

// A serviceRequest is a service that signs in as itself.
type serviceRequest struct{ client string }

// GetSubject is the service.
func (s serviceRequest) GetSubject() string { return s.client }

// GetAudience is for whom the token is: what people's programs talk to.
func (s serviceRequest) GetAudience() []string { return []string{People} }

// GetScopes are none.
func (s serviceRequest) GetScopes() []string { return nil }
