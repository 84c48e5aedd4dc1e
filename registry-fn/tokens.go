package registryfn

import (
	"errors"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

// A token is what is shown of an access token.
type token struct {
	Prefix      string      `json:"prefix"`
	Created     time.Time   `json:"created"`
	Description string      `json:"description,omitempty"`
	Expires     time.Time   `json:"expires,omitzero"`
	Scope       *user.Scope `json:"scope,omitempty"`
}

// tokenWish is the optional body of a request for an access token.
type tokenWish struct {
	Description string     `json:"description"`
	Expires     time.Time  `json:"expires"`
	Scope       user.Scope `json:"scope"`
}

func (h *Handler) createToken(c *call) error {
	if c.caller.Anonymous() {
		return notPermitted
	}
	var wish tokenWish
	if err := c.decode(&wish, true); err != nil {
		return err
	}
	// The query is Drogue Cloud's; everything else is ours.
	if description := c.r.URL.Query().Get("description"); description != "" {
		wish.Description = description
	}
	kept, secret, err := h.Tokens.Create(c.ctx(), c.caller, user.TokenRequest{Description: wish.Description, Expires: wish.Expires, Scope: wish.Scope})
	if err != nil {
		return userError{err}
	}
	return c.answer(struct {
		Prefix  string    `json:"prefix"`
		Token   string    `json:"token"`
		Expires time.Time `json:"expires,omitzero"`
	}{kept.Prefix, secret, kept.Expires})
}

func (h *Handler) listTokens(c *call) error {
	if c.caller.Anonymous() {
		return notPermitted
	}
	kept, err := h.Tokens.List(c.ctx(), c.caller)
	if err != nil {
		return userError{err}
	}
	shown := make([]token, len(kept))
	for i, t := range kept {
		shown[i] = token{Prefix: t.Prefix, Created: t.Created, Description: t.Description, Expires: t.Expires}
		if len(t.Scope.Applications) > 0 || t.Scope.Permission != 0 {
			shown[i].Scope = &kept[i].Scope
		}
	}
	return c.answer(shown)
}

func (h *Handler) deleteToken(c *call) error {
	if c.caller.Anonymous() {
		return notPermitted
	}
	err := h.Tokens.Delete(c.ctx(), c.caller, c.parameters[0])
	if errors.Is(err, registry.ErrNotFound) {
		return notFound
	}
	if err != nil {
		return userError{err}
	}
	return c.respond(http.StatusNoContent)
}
