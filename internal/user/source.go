package user

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// A SourceConfig says how a service of ours shows others who it is: with a token that Kubernetes keeps in a file, or with
// one that it fetches as a client of an OpenID provider. Neither leaves it anonymous.
type SourceConfig struct {
	TokenFile        string        `doc:"file with a projected service account token; read anew as it changes"`
	TokenURL         string        `doc:"token endpoint of the OpenID provider, for client credentials"`
	ClientID         string        `doc:"client id at the OpenID provider"`
	ClientSecret     string        `doc:"secret of the client" secret:"true"`
	ClientSecretFile string        `doc:"file with the secret of the client, instead of the secret itself"`
	Scopes           []string      `doc:"scopes to ask the OpenID provider for"`
	Timeout          time.Duration `doc:"longest time for one request to the OpenID provider"`
}

// DefaultSourceConfig is anonymous.
func DefaultSourceConfig() SourceConfig { return SourceConfig{Timeout: 5 * time.Second} }

// Validate names the first bad field.
func (c *SourceConfig) Validate() error {
	u, err := url.Parse(c.TokenURL)
	switch {
	case c.TokenFile != "" && c.TokenURL != "":
		return errors.New("tokenFile: excludes tokenURL")
	case c.TokenURL != "" && (err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil):
		return errors.New("tokenURL: must be an http or https URL without user")
	case c.TokenURL != "" && c.ClientID == "":
		return errors.New("clientID: is missing")
	case c.ClientSecret != "" && c.ClientSecretFile != "":
		return errors.New("clientSecretFile: excludes clientSecret")
	case c.Timeout < 100*time.Millisecond || c.Timeout > 25*time.Second:
		return errors.New("timeout: must lie between 100ms and 25s")
	}
	return nil
}

// String keeps the secret out of logs.
func (SourceConfig) String() string { return "source of service tokens" }

// refreshBefore is how long before its end a token is replaced, as services of Drogue Cloud do.
const refreshBefore = 15 * time.Second

// A Source gives the token with which a service calls another one. It is safe for concurrent use.
type Source struct {
	file string

	mu      sync.Mutex
	changed time.Time // when the file last did
	content string

	client oauth2.TokenSource
}

// NewSource makes a source. It connects when the first token is asked for.
func NewSource(c SourceConfig) (*Source, error) {
	s := &Source{file: c.TokenFile}
	if c.TokenURL == "" {
		return s, nil
	}
	secret := c.ClientSecret
	if c.ClientSecretFile != "" {
		var err error
		if secret, err = readTokenFile(c.ClientSecretFile); err != nil {
			return nil, fmt.Errorf("clientSecretFile: %w", err)
		}
	}
	credentials := clientcredentials.Config{ClientID: c.ClientID, ClientSecret: secret, TokenURL: c.TokenURL, Scopes: c.Scopes}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Timeout: c.Timeout, CheckRedirect: noRedirect})
	s.client = oauth2.ReuseTokenSourceWithExpiry(nil, credentials.TokenSource(ctx), refreshBefore)
	return s, nil
}

// Token gives a token that is valid for some seconds at least; "" where the service is anonymous. It waits no longer than
// SourceConfig.Timeout for the provider.
func (s *Source) Token() (string, error) {
	switch {
	case s.client != nil:
		token, err := s.client.Token()
		if err != nil {
			return "", unavailable("our own token cannot be had", providerError(err))
		}
		return token.AccessToken, nil
	case s.file != "":
		return s.fromFile()
	default:
		return "", nil
	}
}

// providerError keeps the body of the provider's answer out of logs: it may repeat what was sent.
func providerError(err error) error {
	var refusal *oauth2.RetrieveError
	if errors.As(err, &refusal) && refusal.Response != nil {
		return fmt.Errorf("the identity provider answered %d", refusal.Response.StatusCode)
	}
	return fmt.Errorf("asking the identity provider: %w", err)
}

// fromFile reads the file again when it has changed.
func (s *Source) fromFile() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.file)
	if err != nil {
		return "", unavailable("our own token cannot be had", err)
	}
	if s.content != "" && info.ModTime().Equal(s.changed) {
		return s.content, nil
	}
	token, err := readTokenFile(s.file)
	if err != nil {
		return "", unavailable("our own token cannot be had", err)
	}
	s.content, s.changed = token, info.ModTime()
	return token, nil
}

// Sign puts the token on a request to another service of ours.
func (s *Source) Sign(request *http.Request) error {
	token, err := s.Token()
	if err != nil || token == "" {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return nil
}

// Signer signs requests as the configuration says; nil if it says nothing.
func (c SourceConfig) Signer() (func(*http.Request) error, error) {
	if c.TokenFile == "" && c.TokenURL == "" {
		return nil, nil
	}
	source, err := NewSource(c)
	if err != nil {
		return nil, err
	}
	return source.Sign, nil
}
