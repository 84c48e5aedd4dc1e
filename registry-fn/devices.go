package registryfn

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// deviceKind is what changing a device differs in from changing an application.
var deviceKind = &kind[registry.Device]{
	document: func(d *registry.Device) *document { return (*document)(d) },
	validate: (*registry.Device).Validate,
	check:    registry.CheckDevice,
	denied:   notFound,
	removal:  user.Write,
	update: func(h *Handler, c *call, t *store.Tenant, expect store.Expect, change func(*registry.Device) error) ([]registry.Change, error) {
		return h.Store.UpdateDevice(c.ctx(), t.Application, c.parameters[1], expect, change)
	},
	remove: func(h *Handler, c *call, t *store.Tenant, expect store.Expect) ([]registry.Change, error) {
		return h.Store.DeleteDeviceIf(c.ctx(), t.Application, c.parameters[1], expect)
	},
}

func (h *Handler) createDevice(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Write, noReference, noReference)
	if err != nil {
		return err
	}
	d, err := deviceKind.read(c, t.Application, "")
	if err != nil {
		return err
	}
	changes, err := h.Store.CreateDevice(c.ctx(), d, store.Expect{ApplicationUID: t.UID})
	if errors.Is(err, store.ErrReference) {
		return noReference
	}
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	c.w.Header().Set("Location", h.config.Endpoints.base()+registryBase+"/apps/"+url.PathEscape(t.Application)+"/devices/"+url.PathEscape(d.Metadata.Name))
	return c.respond(http.StatusCreated)
}

func (h *Handler) getDevice(c *call) error {
	t, err := h.tenant(c, c.parameters[0], user.Read, notFound, notFound)
	if err != nil {
		return err
	}
	d, err := h.Store.Device(c.ctx(), t.Application, c.parameters[1])
	if errors.Is(err, registry.ErrNotFound) || (err == nil && d.Metadata.Name != c.parameters[1]) {
		return nothingThere // an alias is a name for the data plane only
	}
	if err != nil {
		return err
	}
	if !c.may(t, user.Write) {
		d = d.WithoutSecrets()
	}
	return c.answer(d)
}
