package registryfn

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// maxMembers bounds the members of one application.
const maxMembers = 500

// members is the document with the members of an application, by name; "" is everybody.
type members struct {
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Members         map[string]member `json:"members"`
}

type member struct {
	Role user.Role `json:"role"`
}

func (h *Handler) getMembers(c *call) error {
	t, err := h.tenant(c, c.parameters[0], user.Admin, notFound, notFound)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(t.Members))
	for id := range t.Members {
		ids = append(ids, id)
	}
	names, err := h.Directory.UserNames(c.ctx(), ids)
	if err != nil {
		return err
	}
	answer := members{ResourceVersion: t.ResourceVersion, Members: make(map[string]member, len(t.Members))}
	for id, role := range t.Members {
		answer.Members[nameOf(id, names)] = member{user.Role(role)}
	}
	return c.answer(answer)
}

// nameOf is what people call a user: the ID, if nothing else is known, by which a user is found, too.
func nameOf(id string, names map[string]string) string {
	if name, ok := names[id]; ok {
		return name
	}
	return id
}

func (h *Handler) setMembers(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Admin, notFound, notFound)
	if err != nil {
		return err
	}
	wanted, roles, err := h.readMembers(c)
	if err != nil {
		return err
	}
	changes, err := h.Store.UpdateTenant(c.ctx(), t.Application, store.Expect{ApplicationUID: t.UID}, func(now *store.Tenant) error {
		switch {
		case !c.may(now, user.Admin):
			return notFound
		case wanted.ResourceVersion != "" && wanted.ResourceVersion != now.ResourceVersion:
			return lockFailed
		}
		now.Members = roles
		return nil
	})
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}

// readMembers reads the body, and finds the IDs of those whom it names.
func (h *Handler) readMembers(c *call) (wanted members, roles map[string]string, err error) {
	if err := c.decode(&wanted, false); err != nil {
		return wanted, nil, err
	}
	if len(wanted.Members) > maxMembers {
		return wanted, nil, badRequest(fmt.Sprintf("members: more than %d", maxMembers))
	}
	roles = make(map[string]string, len(wanted.Members))
	for name, m := range wanted.Members {
		if !m.Role.Valid() {
			return wanted, nil, badRequest(fmt.Sprintf("members.%s.role: must be reader, manager or admin", name))
		}
		id, err := h.userID(c.ctx(), name)
		if err != nil {
			return wanted, nil, err
		}
		if _, twice := roles[id]; twice {
			return wanted, nil, badRequest(fmt.Sprintf("members.%s: is there twice, by name and by ID", name))
		}
		roles[id] = string(m.Role)
	}
	return wanted, roles, nil
}

// userID finds the ID of a user by name; "" is everybody.
func (h *Handler) userID(ctx context.Context, name string) (string, error) {
	if name == user.Everyone {
		return user.Everyone, nil
	}
	id, err := h.Directory.UserByName(ctx, name)
	if errors.Is(err, registry.ErrNotFound) {
		return "", badRequest(fmt.Sprintf("Username %s does not exist, or has never signed in", name))
	}
	return id, err
}
