package registryfn

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// transfer is the document of an offer: the name of the user to whom an application is offered.
type transfer struct {
	NewUser string `json:"newUser"`
}

// inherits tells whether an application is offered to the caller. A credential with a narrow scope takes nothing over.
func (c *call) inherits(t *store.Tenant) bool {
	return !c.caller.Anonymous() && t.Heir == c.caller.ID && !c.caller.Scope.Narrow()
}

// parties are who may see an offer and withdraw from it: the owner and the one to whom the application is offered.
func (c *call) parties(t *store.Tenant) bool { return c.inherits(t) || c.may(t, user.Owner) }

func (h *Handler) getTransfer(c *call) error {
	t, err := h.Store.Tenant(c.ctx(), c.parameters[0])
	if err != nil {
		return err
	}
	if !c.parties(t) {
		return notFound
	}
	if t.Heir == "" {
		return c.respond(http.StatusNoContent)
	}
	names, err := h.Directory.UserNames(c.ctx(), []string{t.Heir})
	if err != nil {
		return err
	}
	return c.answer(transfer{nameOf(t.Heir, names)})
}

func (h *Handler) offerApplication(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Owner, notFound, notFound)
	if err != nil {
		return err
	}
	var wanted transfer
	if err := c.decode(&wanted, false); err != nil {
		return err
	}
	if wanted.NewUser == "" {
		return badRequest("newUser: is empty")
	}
	heir, err := h.userID(c.ctx(), wanted.NewUser)
	if err != nil {
		return err
	}
	err = h.hand(c, t.UID, func(now *store.Tenant) error {
		if !c.may(now, user.Owner) {
			return notFound
		}
		now.Heir = heir
		return nil
	})
	if err != nil {
		return err
	}
	return c.respond(http.StatusAccepted)
}

func (h *Handler) cancelTransfer(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	err := h.hand(c, "", func(now *store.Tenant) error {
		if !c.parties(now) {
			return notFound
		}
		now.Heir = ""
		return nil
	})
	if err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}

func (h *Handler) acceptApplication(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	err := h.hand(c, "", func(now *store.Tenant) error {
		if !c.inherits(now) {
			return notFound
		}
		now.Owner, now.Heir = now.Heir, ""
		return nil
	})
	if err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}

// hand changes to whom an application belongs, or is offered. The function decides whether the caller may.
func (h *Handler) hand(c *call, uid string, change func(*store.Tenant) error) error {
	changes, err := h.Store.UpdateTenant(c.ctx(), c.parameters[0], store.Expect{ApplicationUID: uid}, change)
	return h.changed(c, changes, err)
}

// whoAmI answers with the ID, which is null for somebody who has not signed in, and the name of the caller.
func (h *Handler) whoAmI(c *call) error {
	var answer struct {
		ID   *string `json:"id"`
		Name string  `json:"name,omitempty"`
	}
	if !c.caller.Anonymous() {
		answer.ID, answer.Name = &c.caller.ID, c.caller.Name
	}
	return c.answer(answer)
}
