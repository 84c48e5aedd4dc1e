package cloud

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

const tokensBase = "/api/tokens/v1alpha1"

// A TokenWish says what an access token is to be. All of it may be left out.
type TokenWish struct {
	Description string     `json:"description,omitempty"`
	Expires     time.Time  `json:"expires,omitzero"`
	Scope       TokenScope `json:"scope,omitzero"`
}

// A TokenScope narrows an access token.
type TokenScope struct {
	Applications []string `json:"applications,omitempty"`
	Permission   string   `json:"permission,omitempty"` // Read, Write, Admin or Owner
}

// IsZero tells whether the scope narrows nothing.
func (s TokenScope) IsZero() bool { return len(s.Applications) == 0 && s.Permission == "" }

// A NewToken is an access token, on the one occasion on which it is seen.
type NewToken struct {
	Prefix  string    `json:"prefix"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires,omitzero"`
}

// CreateToken makes an access token. Drogue Cloud reads the description only, and only in the query.
func (c *Client) CreateToken(ctx context.Context, wish TokenWish) (t NewToken, err error) {
	path := tokensBase
	if wish.Description != "" {
		path += "?" + url.Values{"description": {wish.Description}}.Encode()
	}
	err = c.call(ctx, http.MethodPost, path, wish, &t)
	return t, err
}

// Tokens calls a function with each access token of the user, in the order in which they were made.
func (c *Client) Tokens(ctx context.Context, each func(json.RawMessage) error) error {
	return c.list(ctx, tokensBase, each)
}

// DeleteToken ends an access token.
func (c *Client) DeleteToken(ctx context.Context, prefix string) error {
	return c.call(ctx, http.MethodDelete, tokensBase+"/"+url.PathEscape(prefix), nil, nil)
}
