package user

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/gather"
	"github.com/fairlead/fairlead/internal/registry"
)

// Paths of the questions that the authentication function answers about users. All are POST with a document, and answer 404 where
// nothing is found.
const (
	PathToken  = "/api/user/v1alpha1/token"  // a TokenQuestion; a TokenAnswer
	PathAccess = "/api/user/v1alpha1/access" // an AccessQuestion; an AccessAnswer
)

// A TokenQuestion asks for an access token by its hash.
type TokenQuestion struct {
	Hash string `json:"hash"`
}

// A TokenAnswer is what there is to know of an access token to take it.
type TokenAnswer struct {
	UserID   string    `json:"userId"`
	UserName string    `json:"userName"`
	Expires  time.Time `json:"expires,omitzero"`
	Scope    Scope     `json:"scope,omitzero"`
}

// An AccessQuestion asks to whom an application belongs.
type AccessQuestion struct {
	Application string `json:"application"`
}

// An AccessAnswer says it.
type AccessAnswer struct {
	Owner   string          `json:"owner"`
	Members map[string]Role `json:"members"`
}

const (
	clientFirstPause   = 50 * time.Millisecond
	clientLongestPause = 500 * time.Millisecond
	clientConnections  = 32
	maxClientAnswer    = 1 << 20 // bytes
)

// A Client asks the authentication function about users, for processes without the registry's database. Those who ask the same at the
// same time share a question. It is safe for concurrent use.
type Client struct {
	url     string
	sign    func(*http.Request) error
	timeout time.Duration
	http    *http.Client
	tokens  *gather.Reads[string, *Token]
	access  *gather.Reads[string, Access]
}

// NewClient makes a client of the function at a URL. sign puts on each request what shows who asks. An attempt that fails is
// repeated until the timeout.
func NewClient(url string, timeout time.Duration, sign func(*http.Request) error) *Client {
	transport := &http.Transport{MaxConnsPerHost: clientConnections, MaxIdleConnsPerHost: clientConnections, IdleConnTimeout: time.Minute}
	c := &Client{
		url: strings.TrimSuffix(url, "/"), sign: sign, timeout: timeout,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	c.tokens, c.access = gather.NewReads(c.findToken), gather.NewReads(c.findAccess)
	return c
}

// FindToken is that of a TokenStore.
func (c *Client) FindToken(ctx context.Context, hash string) (*Token, error) {
	return c.tokens.Get(ctx, hash)
}

// Access says to whom an application belongs; the zero value is one that does not exist.
func (c *Client) Access(ctx context.Context, application string) (Access, error) {
	return c.access.Get(ctx, application)
}

func (c *Client) findToken(ctx context.Context, hash string) (*Token, error) {
	var answer TokenAnswer
	if err := c.ask(ctx, PathToken, TokenQuestion{hash}, &answer); err != nil {
		return nil, err
	}
	return &Token{Hash: hash, UserID: answer.UserID, UserName: answer.UserName, Expires: answer.Expires, Scope: answer.Scope}, nil
}

func (c *Client) findAccess(ctx context.Context, application string) (Access, error) {
	var answer AccessAnswer
	err := c.ask(ctx, PathAccess, AccessQuestion{application}, &answer)
	if errors.Is(err, registry.ErrNotFound) {
		return Access{}, nil
	}
	return Access{Application: application, Owner: answer.Owner, Members: answer.Members}, err
}

// ask repeats a question until it is answered. What is not found is registry.ErrNotFound.
func (c *Client) ask(ctx context.Context, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("asking about a user: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for pauses := backoff.New(clientFirstPause, clientLongestPause); ; {
		again, err := c.try(ctx, path, body, answer)
		if err == nil || !again || !backoff.Wait(ctx, pauses.Next()) {
			return err
		}
	}
}

// try asks once, and tells whether asking again may help.
func (c *Client) try(ctx context.Context, path string, body []byte, answer any) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("asking about a user: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if err := c.sign(request); err != nil {
		return true, fmt.Errorf("asking about a user: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return true, fmt.Errorf("asking about a user: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxClientAnswer))
	switch {
	case err != nil:
		return true, fmt.Errorf("asking about a user: %w", err)
	case response.StatusCode == http.StatusNotFound:
		return false, registry.ErrNotFound
	case response.StatusCode != http.StatusOK:
		return response.StatusCode >= http.StatusInternalServerError, fmt.Errorf("asking about a user is answered with %s", response.Status)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return false, errors.New("asking about a user: the answer does not parse")
	}
	return false, nil
}
