package cloud

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// ClientID is what programs of people are to an OpenID provider, unless it is set up otherwise.
	ClientID = "drogue"

	callbackPath    = "/callback"
	callbackTimeout = 10 * time.Second
)

// A LoginFlow logs a person in at the OpenID provider of an installation.
type LoginFlow struct {
	Issuer   string
	ClientID string
	// Show tells the person where to go, with the code to type there, "" if there is none.
	Show func(address, code string)
}

// scopes ask for a session that outlives the first token.
func scopes() []string { return []string{oidc.ScopeOpenID, oidc.ScopeOfflineAccess} }

func (f *LoginFlow) program(ctx context.Context) (*oauth2.Config, error) {
	provider, err := oidc.NewProvider(ctx, f.Issuer)
	if err != nil {
		return nil, fmt.Errorf("asking the identity provider %s: %w", f.Issuer, withoutURL(err))
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &oauth2.Config{ClientID: f.ClientID, Endpoint: endpoint, Scopes: scopes()}, nil
}

// Browser logs in with a browser on this machine: the person goes to the provider, which sends them back to an address on
// which this program listens (RFC 8252), with a code that only this program can use (PKCE, RFC 7636).
func (f *LoginFlow) Browser(ctx context.Context) (*Login, error) {
	ctx = oidc.ClientContext(ctx, newHTTP())
	program, err := f.program(ctx)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the answer of the identity provider: %w", err)
	}
	program.RedirectURL = "http://" + listener.Addr().String() + callbackPath
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	c := &callback{state: state, result: make(chan callbackResult, 1)}
	server := &http.Server{Handler: c, ReadTimeout: callbackTimeout, WriteTimeout: callbackTimeout, MaxHeaderBytes: 64 << 10}
	go func() { _ = server.Serve(listener) }()
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), callbackTimeout)
		defer cancel()
		_ = server.Shutdown(ending) // so that the browser gets its page
	}()
	f.Show(program.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), "")
	select {
	case <-ctx.Done():
		return nil, errors.New("nobody logged in")
	case r := <-c.result:
		if r.err != nil {
			return nil, r.err
		}
		tokens, err := program.Exchange(ctx, r.code, oauth2.VerifierOption(verifier))
		if err != nil {
			return nil, fmt.Errorf("fetching tokens: %w", refusal(err))
		}
		return newLogin(f.ClientID, program.Endpoint.TokenURL, tokens), nil
	}
}

// Device logs in with a browser elsewhere, in which the person types a code (RFC 8628).
func (f *LoginFlow) Device(ctx context.Context) (*Login, error) {
	ctx = oidc.ClientContext(ctx, newHTTP())
	program, err := f.program(ctx)
	if err != nil {
		return nil, err
	}
	if program.Endpoint.DeviceAuthURL == "" {
		return nil, errors.New("the identity provider knows no log-in with a code")
	}
	begun, err := program.DeviceAuth(ctx)
	if err != nil {
		return nil, fmt.Errorf("beginning to log in: %w", refusal(err))
	}
	address := begun.VerificationURIComplete
	if address == "" {
		address = begun.VerificationURI
	}
	f.Show(address, begun.UserCode)
	tokens, err := program.DeviceAccessToken(ctx, begun)
	if err != nil {
		return nil, fmt.Errorf("fetching tokens: %w", refusal(err))
	}
	return newLogin(f.ClientID, program.Endpoint.TokenURL, tokens), nil
}

// refusal is what an identity provider said, without the rest of its answer.
func refusal(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return withoutURL(err)
	}
	if refused.ErrorDescription != "" {
		return errors.New(refused.ErrorDescription)
	}
	if refused.ErrorCode != "" {
		return errors.New(refused.ErrorCode)
	}
	return fmt.Errorf("the identity provider answered %d", refused.Response.StatusCode)
}

// A callback waits for the browser to come back. It takes only what answers the request of this program.
type callback struct {
	state  string
	result chan callbackResult // holds one
}

type callbackResult struct {
	code string
	err  error
}

// ServeHTTP takes the first answer with our state, and tells the person that they may go on in the terminal.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if r.Method != http.MethodGet || r.URL.Path != callbackPath || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(c.state)) != 1 {
		http.NotFound(w, r)
		return
	}
	result := callbackResult{code: query.Get("code")}
	text := "You are logged in. Go on in the terminal; this window may be closed.\n"
	if result.code == "" {
		text = "You are not logged in. The terminal says why; this window may be closed.\n"
		result.err = fmt.Errorf("the identity provider refused the log-in: %s", firstOf(query.Get("error_description"), query.Get("error"), "it does not say why"))
	}
	select {
	case c.result <- result:
	default: // the first one counts
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text))
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
