package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// Limits of a client.
const (
	maxAnswer    = 1 << 20                // bytes of one answer
	firstPause   = 50 * time.Millisecond  // before the second attempt; doubles, with jitter
	longestPause = 500 * time.Millisecond // between attempts
	idleFor      = 60 * time.Second       // for which a connection is kept
)

// A Client asks an authentication function. Sessions that it returns are not watched: a Cache above it hears of changes.
type Client struct {
	config  ClientConfig
	sign    func(*http.Request) error // nil where the configured token does
	http    *http.Client
	metrics *clientMetrics
}

var _ Authenticator = (*Client)(nil)

// NewClient makes a client. It connects at the first request.
func NewClient(c ClientConfig) *Client {
	transport := &http.Transport{
		MaxIdleConns:        c.Connections,
		MaxIdleConnsPerHost: c.Connections,
		MaxConnsPerHost:     c.Connections,
		IdleConnTimeout:     idleFor,
	}
	return &Client{config: c, http: &http.Client{Transport: transport, CheckRedirect: noRedirect}, metrics: newClientMetrics()}
}

// SignWith has every request carry what a function puts on it, for services that change their token now and then. It is
// for before the first request.
func (c *Client) SignWith(sign func(*http.Request) error) { c.sign = sign }

// noRedirect keeps credentials with the function that they are meant for.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Authenticate asks for a decision. A proven key is asked for as a key, since possession was shown in the handshake.
func (c *Client) Authenticate(ctx context.Context, request Request) (*Session, error) {
	if _, ok := request.Credential.(ProvenKey); ok {
		return c.proven(ctx, request)
	}
	if request.Credential == nil || (isOnlyRemembered(ctx) && guessable(request.Credential)) {
		return nil, refused()
	}
	var answer WireAnswer[WireOutcome]
	err := c.ask(ctx, PathAuthenticate, WireRequest{request.Application, request.Device, &WireCredential{request.Credential}, request.As}, &answer)
	if err != nil {
		return nil, err
	}
	pass := answer.Outcome.Pass
	if pass == nil {
		return nil, refused()
	}
	if pass.Application == nil || pass.Device == nil {
		return nil, unreachable(errors.New("the answer lacks documents"))
	}
	return &Session{Application: pass.Application, Device: pass.Device, As: pass.As, until: endOfChain(request.Credential)}, nil
}

// guessable tells whether somebody could try many credentials of that kind. What the function remembers of them is not
// known here.
func guessable(c Credential) bool {
	switch c.(type) {
	case Password, UserPassword:
		return true
	default:
		return false
	}
}

// endOfChain is when the first certificate of a presented chain expires; zero for every other credential.
func endOfChain(c Credential) time.Time {
	chain, ok := c.(CertificateChain)
	if !ok {
		return time.Time{}
	}
	certificates, err := parseChain(chain)
	if err != nil {
		return time.Time{}
	}
	return endOf(certificates)
}

func (c *Client) proven(ctx context.Context, request Request) (*Session, error) {
	key, err := c.PreSharedKey(ctx, request.Application, request.Device)
	if err != nil {
		return nil, err
	}
	session := &Session{Application: key.Application, Device: key.Device}
	if request.As == "" || request.As == request.Device {
		return session, nil
	}
	as, err := c.AuthorizeAs(ctx, session, request.As)
	if outcome.Of(err) == outcome.Forbidden {
		return nil, refused()
	}
	if err != nil {
		return nil, err
	}
	if as.Metadata.Name != key.Device.Metadata.Name {
		session.As = as
	}
	return session, nil
}

// AuthorizeAs asks whether the session's device may act for another.
func (c *Client) AuthorizeAs(ctx context.Context, session *Session, device string) (*registry.Device, error) {
	if device == "" || device == session.Device.Metadata.Name {
		return session.Device, nil
	}
	var answer WireAnswer[WireOutcome]
	request := WireRequest{Application: session.Application.Metadata.Name, Device: session.Device.Metadata.Name, As: device}
	if err := c.ask(ctx, PathAuthorizeAs, request, &answer); err != nil {
		return nil, err
	}
	if answer.Outcome.Pass == nil || answer.Outcome.Pass.As == nil {
		return nil, outcome.New(outcome.Forbidden, "")
	}
	return answer.Outcome.Pass.As, nil
}

// PreSharedKey asks for a device's key.
func (c *Client) PreSharedKey(ctx context.Context, application, device string) (Key, error) {
	var answer WireAnswer[WireKeyOutcome]
	if err := c.ask(ctx, PathKeys, WireRequest{Application: application, Device: device}, &answer); err != nil {
		return Key{}, err
	}
	found := answer.Outcome.Found
	if found == nil || found.Application == nil || found.Device == nil {
		return Key{}, refused()
	}
	return Key{Secret: found.Key.Key, Validity: found.Key.Validity, Application: found.Application, Device: found.Device}, nil
}

func unreachable(err error) error {
	return outcome.Wrap(outcome.Unavailable, "the authentication service cannot be reached", err)
}

// stamped is an answer that takes the revisions of its documents.
type stamped interface{ stamp(revisions string) }

// ask repeats a request until it is answered, or until ctx or the client's own timeout ends. Attempts that fail at once,
// while the function is started, are repeated after a pause.
func (c *Client) ask(ctx context.Context, path string, request WireRequest, answer stamped) error {
	if !request.speakable() {
		return refused()
	}
	body, err := json.Marshal(request)
	if err != nil {
		return outcome.Wrap(outcome.Internal, "", fmt.Errorf("writing a request to the authentication service: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	pause := firstPause
	for attempt := 0; ; attempt++ {
		c.metrics.attempt(attempt)
		again, err := c.try(ctx, path, body, answer)
		if err == nil {
			return nil
		}
		if _, decided := errors.AsType[*outcome.Error](err); decided {
			return err
		}
		if !again || ctx.Err() != nil {
			return unreachable(err)
		}
		select {
		case <-ctx.Done():
			return unreachable(err)
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, longestPause)
	}
}

// try sends a request once and tells, with an error, whether another attempt may help.
func (c *Client) try(ctx context.Context, path string, body []byte, answer stamped) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+path, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("making a request to the authentication service: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if c.config.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.config.Token)
	}
	if c.sign != nil {
		if err := c.sign(request); err != nil {
			return true, fmt.Errorf("signing a request to the authentication service: %w", err)
		}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return true, fmt.Errorf("asking the authentication service: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return true, fmt.Errorf("reading the authentication service's answer: %w", err)
	case response.StatusCode == http.StatusTooManyRequests:
		return false, overloaded("the authentication service has too much to do")
	case response.StatusCode != http.StatusOK:
		return transient(response.StatusCode), fmt.Errorf("the authentication service answered %d", response.StatusCode)
	case len(text) > maxAnswer:
		return false, fmt.Errorf("the authentication service's answer is larger than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return false, errors.New("the authentication service's answer does not parse")
	}
	answer.stamp(response.Header.Get(RevisionsHeader))
	return false, nil
}

func transient(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}
