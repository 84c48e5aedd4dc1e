package auth

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/tracing"
)

// Limits of a client.
const (
	maxAnswer    = 1 << 20                // bytes of one answer
	maxAnswers   = 16 << 20               // bytes of the answer to many renewals
	firstPause   = 50 * time.Millisecond  // before the second attempt; doubles
	longestPause = 500 * time.Millisecond // between attempts
	idleFor      = 60 * time.Second       // for which a connection is kept
	maxWaiting   = 16_384                 // questions that wait for a connection
)

// A Client asks an authentication function. Sessions that it returns are not watched: a Cache above it hears of changes.
type Client struct {
	config  ClientConfig
	sign    func(*http.Request) error // nil where the configured token does
	http    *http.Client
	metrics *clientMetrics
	sealer  *sealer
	// extended tells that the function has shown to know Fairlead's additions to the API.
	extended atomic.Bool
	turns    *turns // for connections
	batches  batches
	// mostAnswers bounds the answer to many renewals, in bytes.
	mostAnswers int
}

var _ Authenticator = (*Client)(nil)

// NewClient makes a client. It connects at the first request.
func NewClient(c ClientConfig) *Client {
	transport := &http.Transport{
		MaxIdleConns:        c.Connections,
		MaxIdleConnsPerHost: c.Connections,
		MaxConnsPerHost:     c.Connections + batchSenders,
		IdleConnTimeout:     idleFor,
	}
	return &Client{config: c, http: &http.Client{Transport: transport, CheckRedirect: noRedirect}, metrics: newClientMetrics(), sealer: newSealer(),
		turns: newTurns(c.Connections, max(1, c.Connections/4), maxWaiting), mostAnswers: maxAnswers}
}

// SignWith has every request carry what a function puts on it, for services that change their token now and then. It is
// for before the first request.
func (c *Client) SignWith(sign func(*http.Request) error) { c.sign = sign }

// noRedirect keeps credentials with the function that they are meant for.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Authenticate asks for a decision. Renewals are asked for many at a time.
func (c *Client) Authenticate(ctx context.Context, request Request) (*Session, error) {
	started := time.Now()
	session, err := c.authenticate(ctx, request)
	c.metrics.decided(request.Protocol, started, err)
	return session, err
}

func (c *Client) authenticate(ctx context.Context, request Request) (*Session, error) {
	switch credential := request.Credential.(type) {
	case nil, Vouched:
		return nil, refused()
	case Proof:
		if credential == "" {
			return nil, refused()
		}
		if c.issued(credential) {
			return c.proven(ctx, request)
		}
	}
	session, err := c.decision(ctx, request)
	if err != nil {
		return nil, err
	}
	if session.until.IsZero() {
		session.until = endOfChain(request.Credential)
	}
	return session, nil
}

func (c *Client) decision(ctx context.Context, request Request) (*Session, error) {
	question := questionOf(request)
	if request.Renewal {
		return c.renew(ctx, question)
	}
	question.Verified = isOnlyRemembered(ctx)
	if question.Verified && countsAsFailure(request.Credential) && !c.extended.Load() {
		return nil, refused() // it might be admitted by a function that does not know what is asked
	}
	var answer WireAnswer[WireOutcome]
	if err := c.ask(ctx, PathAuthenticate, question, &answer); err != nil {
		return nil, err
	}
	if answer.Outcome.Notes.Proof != "" {
		c.extended.Store(true)
	}
	return sessionOf(answer.Outcome)
}

// endOfChain is when the first certificate of a presented chain expires; zero for every other credential. It is for answers
// without a note of that.
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

// issue makes a proof of a key where the function has issued none, which other implementations of the API and older ones do
// not. It is worth something to this client only.
func (c *Client) issue(application, device string, secret []byte) Proof {
	sealed := c.sealer.seal('i', application, device, string(secret))
	return Proof(ownProof + string(sealed[:]))
}

// ownProof begins the proofs of a client, which are longer than those of a Service.
const ownProof = "client "

func (c *Client) issued(p Proof) bool { return strings.HasPrefix(string(p), ownProof) }

// proven judges a proof of its own: the key that the device has now must be the one that it has proven.
func (c *Client) proven(ctx context.Context, request Request) (*Session, error) {
	key, err := c.preSharedKey(ctx, request.Application, request.Device)
	if err != nil {
		return nil, err
	}
	presented, _ := request.Credential.(Proof)
	if subtle.ConstantTimeCompare([]byte(c.issue(request.Application, request.Device, key.Secret)), []byte(presented)) != 1 {
		return nil, refused()
	}
	session := &Session{Application: key.Application, Device: key.Device, proof: presented}
	if key.Validity != nil {
		session.until = key.Validity.NotAfter
	}
	if request.As == "" || request.As == request.Device {
		return session, nil
	}
	as, err := c.AuthorizeAs(ctx, session, request.As)
	if outcome.Of(err) == outcome.Forbidden {
		return nil, withRightCredential(refused())
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
	started := time.Now()
	key, err := c.preSharedKey(ctx, application, device)
	c.metrics.decided(refusal.CoAP, started, err) // nothing else has such keys
	return key, err
}

func (c *Client) preSharedKey(ctx context.Context, application, device string) (Key, error) {
	var answer WireAnswer[WireKeyOutcome]
	if err := c.ask(ctx, PathKeys, WireRequest{Application: application, Device: device}, &answer); err != nil {
		return Key{}, err
	}
	found := answer.Outcome.Found
	if found == nil || found.Application == nil || found.Device == nil {
		return Key{}, refused()
	}
	proof := answer.Outcome.Notes.proof()
	if proof == "" || c.issued(proof) {
		proof = c.issue(application, device, found.Key.Key)
	}
	return Key{Secret: found.Key.Key, Proof: proof, Validity: found.Key.Validity, Application: found.Application, Device: found.Device}, nil
}

func unreachable(err error) error {
	return outcome.Wrap(outcome.Unavailable, "the authentication service cannot be reached", err)
}

// noted is an answer that takes its notes.
type noted interface{ note(Notes) }

// ask repeats a request until it is answered, or until ctx or the client's own timeout ends. Attempts that fail at once,
// while the function is started, are repeated after a pause.
func (c *Client) ask(ctx context.Context, path string, request WireRequest, answer noted) error {
	if !request.speakable() {
		return refused()
	}
	body, err := json.Marshal(request)
	if err != nil {
		return outcome.Wrap(outcome.Internal, "", fmt.Errorf("writing a request to the authentication service: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if !c.turns.take(ctx, request.Application) {
		if ctx.Err() != nil {
			return unreachable(ctx.Err())
		}
		return overloaded("the authentication service has too much to do")
	}
	defer c.turns.give(request.Application, 0)
	return c.persist(ctx, path, body, maxAnswer, answer)
}

// persist sends a question until it is answered.
func (c *Client) persist(ctx context.Context, path string, body []byte, limit int, answer noted) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	pauses := backoff.New(firstPause, longestPause)
	for attempt := 0; ; attempt++ {
		c.metrics.attempt(attempt)
		again, err := c.try(ctx, path, body, limit, answer)
		if err == nil {
			return nil
		}
		if _, decided := errors.AsType[*outcome.Error](err); decided {
			return err
		}
		if !again || ctx.Err() != nil || !pauses.Wait(ctx) {
			return unreachable(err)
		}
	}
}

// try sends a request once and tells, with an error, whether another attempt may help.
func (c *Client) try(ctx context.Context, path string, body []byte, limit int, answer noted) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+path, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("making a request to the authentication service: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	tracing.ToHeader(ctx, request.Header)
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
	text, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	switch {
	case err != nil:
		return true, fmt.Errorf("reading the authentication service's answer: %w", err)
	case response.StatusCode == http.StatusTooManyRequests:
		return false, overloaded("the authentication service has too much to do")
	case response.StatusCode != http.StatusOK:
		return transient(response.StatusCode), fmt.Errorf("the authentication service answered %d", response.StatusCode)
	case len(text) > limit:
		return false, errAnswerTooLarge
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return false, errors.New("the authentication service's answer does not parse")
	}
	answer.note(notesIn(response.Header))
	return false, nil
}

var errAnswerTooLarge = errors.New("the authentication service's answer is too large")

func transient(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}
