package cloud

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// refreshBefore is how long before its end a token is replaced.
const refreshBefore = 30 * time.Second

// A Session is a user logged in to one installation, as a file of contexts says. Tokens that it gets are written there.
type Session struct {
	path string
	name string
	http *http.Client

	mu      sync.Mutex
	context Context
}

// Open begins a session with a context of a file; "" is the current one.
func Open(path, name string) (*Session, error) {
	contexts, err := LoadContexts(path)
	if err != nil {
		return nil, err
	}
	name, context, err := contexts.Get(name)
	if err != nil {
		return nil, err
	}
	return &Session{path: path, name: name, http: newHTTP(), context: *context}, nil
}

// Name is that of the context.
func (s *Session) Name() string { return s.name }

// Context is what the file says, without the tokens.
func (s *Session) Context() Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Context{URL: s.context.URL, Application: s.context.Application, User: s.context.User}
}

// Client calls the API as a context says, which is in no file yet: a token that ends is not replaced.
func (c *Context) Client() (*Client, error) {
	return NewClient(c.URL, (&Session{http: newHTTP(), context: *c}).sign)
}

// Client calls the API as the user.
func (s *Session) Client() (*Client, error) {
	client, err := NewClient(s.context.URL, s.sign)
	if err == nil {
		client.advise = s.advise
	}
	return client, err
}

// advise says what to do when the installation does not know the user any longer.
func (s *Session) advise(refused *Error) {
	if !refused.unknownCaller() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.context.AccessToken != "":
		refused.Advice = fmt.Sprintf("%s does not take the access token of context %s: it has expired, was deleted, or is of another installation; log in with a new one: fairlead login %s --context %s --access-token -", s.context.URL, s.name, s.context.URL, s.name)
	case s.context.Login != nil:
		refused.Advice = fmt.Sprintf("%s does not take the log-in of context %s: it has ended, or the installation was set up anew; %s", s.context.URL, s.name, s.logIn())
	default:
		refused.Advice = fmt.Sprintf("context %s is not logged in; %s", s.name, s.logIn())
	}
}

// logIn is what to do. The caller holds the lock.
func (s *Session) logIn() string {
	return fmt.Sprintf("log in again: fairlead login %s --context %s", s.context.URL, s.name)
}

func (s *Session) sign(ctx context.Context, request *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.context.AccessToken != "" && s.context.User != "":
		request.SetBasicAuth(s.context.User, s.context.AccessToken)
	case s.context.AccessToken != "":
		request.Header.Set("Authorization", "Bearer "+s.context.AccessToken)
	case s.context.Login != nil:
		token, err := s.token(ctx)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// Token gives the token that calls are made with at present.
func (s *Session) Token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.context.AccessToken != "":
		return s.context.AccessToken, nil
	case s.context.Login != nil:
		return s.token(ctx)
	default:
		return "", fmt.Errorf("context %s is not logged in", s.name)
	}
}

var errLoggedOut = errors.New("the log-in has ended")

// loggedOut also says what to do. The caller holds the lock.
func (s *Session) loggedOut() error { return fmt.Errorf("%w; %s", errLoggedOut, s.logIn()) }

// token gives one that is valid for some time yet. The caller holds the lock.
func (s *Session) token(ctx context.Context) (string, error) {
	if fresh(s.context.Login) {
		return s.context.Login.Token, nil
	}
	contexts, err := LoadContexts(s.path)
	if err != nil {
		return "", err
	}
	// Another command may have been faster. A provider that takes each refresh token once would refuse ours.
	if _, now, err := contexts.Get(s.name); err == nil && now.URL == s.context.URL && now.Login != nil {
		s.context.Login = now.Login
	}
	if fresh(s.context.Login) {
		return s.context.Login.Token, nil
	}
	if s.context.Login.RefreshToken == "" {
		return "", s.loggedOut()
	}
	next, err := s.refresh(ctx, s.context.Login)
	if errors.Is(err, errLoggedOut) {
		return "", s.loggedOut()
	}
	if err != nil {
		return "", err
	}
	s.context.Login = next
	if _, kept, err := contexts.Get(s.name); err == nil && kept.URL == s.context.URL {
		kept.Login = next
		return next.Token, contexts.Save()
	}
	return next.Token, nil
}

func fresh(l *Login) bool {
	return l.Expires.IsZero() || time.Until(l.Expires) > refreshBefore
}

func (s *Session) refresh(ctx context.Context, l *Login) (*Login, error) {
	program := oauth2.Config{ClientID: l.ClientID, Endpoint: oauth2.Endpoint{TokenURL: l.TokenURL, AuthStyle: oauth2.AuthStyleInParams}}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.http)
	tokens, err := program.TokenSource(ctx, &oauth2.Token{RefreshToken: l.RefreshToken}).Token()
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return nil, errLoggedOut
	}
	if err != nil {
		return nil, fmt.Errorf("refreshing the log-in at %s: %w; if the installation was set up anew: fairlead login %s --context %s", l.TokenURL, withoutURL(err), s.context.URL, s.name)
	}
	return newLogin(l.ClientID, l.TokenURL, tokens), nil
}

func newLogin(clientID, tokenURL string, t *oauth2.Token) *Login {
	return &Login{ClientID: clientID, TokenURL: tokenURL, Token: t.AccessToken, Expires: t.Expiry.UTC().Truncate(time.Second), RefreshToken: t.RefreshToken}
}
