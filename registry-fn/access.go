package registryfn

import (
	"errors"
	"net/http"
	"strings"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/user"
)

func (c *call) may(t *store.Tenant, p user.Permission) bool {
	return user.Decide(c.caller, accounts.Access(t), p)
}

// tenant finds an application that the caller may do something with. An application that is not there is the one
// refusal, and one with which the caller may not do that the other.
func (h *Handler) tenant(c *call, name string, p user.Permission, missing, denied *refusal) (*store.Tenant, error) {
	t, err := h.Store.Tenant(c.ctx(), name)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	if !c.may(t, p) {
		return nil, denied
	}
	return t, nil
}

// changing keeps changes out that could not be told, and callers who have not signed in: these change nothing, whatever
// it belongs to.
func (h *Handler) changing(c *call) error {
	if c.caller.Anonymous() {
		return notPermitted
	}
	if h.Changes.Full() {
		return full
	}
	return c.conditions()
}

// conditions refuses what is to be done under a condition on entity tags (RFC 9110 section 13.1), which documents do not have. Who
// sends one counts on not overwriting what others have written.
func (c *call) conditions() error {
	if c.r.Method == http.MethodPost {
		return nil // which is about what is not there yet
	}
	for _, tag := range c.r.Header.Values("If-Match") {
		if strings.TrimSpace(tag) != "*" {
			return noTags
		}
	}
	for _, tag := range c.r.Header.Values("If-None-Match") {
		if strings.TrimSpace(tag) == "*" {
			return noTags
		}
	}
	return nil
}

// changed tells what a call has changed, even if the call ended with an error after that.
func (h *Handler) changed(c *call, changes []registry.Change, err error) error {
	h.Changes.Tell(c.ctx(), changes)
	return err
}

// reader is the caller as somebody who lists applications.
func (c *call) reader() store.Reader {
	return store.Reader{All: c.caller.Admin || c.caller.Service, User: c.caller.ID, Only: c.caller.Scope.Applications}
}
