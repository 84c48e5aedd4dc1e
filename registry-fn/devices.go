package registryfn

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// readDevice reads the body as a device, whose application must be that of the path, or not be said. Its name must be
// the one of the path unless that is "".
func (c *call) readDevice(application, name string) (*registry.Device, error) {
	var d registry.Device
	if err := c.decode(&d, false); err != nil {
		return nil, err
	}
	if d.Metadata.Application == "" {
		d.Metadata.Application = application
	}
	if d.Metadata.Application != application {
		return nil, badRequest("metadata.application: must be the application in the path")
	}
	if name != "" && d.Metadata.Name != name {
		return nil, badRequest("metadata.name: must be the name in the path")
	}
	if !c.caller.Service {
		d.Status = nil
	}
	if err := d.Validate(); err != nil {
		return nil, badRequest(err.Error())
	}
	c.warn(registry.CheckDevice(&d))
	return &d, nil
}

func (h *Handler) createDevice(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Write, noReference, noReference)
	if err != nil {
		return err
	}
	d, err := c.readDevice(t.Application, "")
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

func (h *Handler) replaceDevice(c *call) error {
	return h.updateDevice(c, func(expect *store.Expect) (func(*registry.Device) error, error) {
		d, err := c.readDevice(c.parameters[0], c.parameters[1])
		if err != nil {
			return nil, err
		}
		expect.UID, expect.ResourceVersion = d.Metadata.UID, d.Metadata.ResourceVersion
		return func(stored *registry.Device) error {
			replaceMetadata(&stored.Metadata, &d.Metadata)
			stored.Spec = d.Spec
			if c.caller.Service {
				stored.Status = d.Status
			}
			return nil
		}, nil
	})
}

func (h *Handler) patchDevice(c *call) error {
	return h.updateDevice(c, func(*store.Expect) (func(*registry.Device) error, error) {
		patch, err := c.readPatch()
		if err != nil {
			return nil, err
		}
		return func(stored *registry.Device) error {
			var patched registry.Device
			if err := patch.apply(stored, &patched); err != nil {
				return err
			}
			if err := c.checkPatched(&stored.Metadata, &patched.Metadata); err != nil {
				return err
			}
			c.warn(registry.CheckDevice(&patched))
			replaceMetadata(&stored.Metadata, &patched.Metadata)
			stored.Spec = patched.Spec
			if c.caller.Service {
				stored.Status = patched.Status
			}
			return nil
		}, nil
	})
}

// updateDevice lets a function that is made of the request change a device to whose application the caller may write.
func (h *Handler) updateDevice(c *call, read func(*store.Expect) (func(*registry.Device) error, error)) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Write, notFound, notFound)
	if err != nil {
		return err
	}
	expect := store.Expect{ApplicationUID: t.UID}
	change, err := read(&expect)
	if err != nil {
		return err
	}
	changes, err := h.Store.UpdateDevice(c.ctx(), t.Application, c.parameters[1], expect, change)
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}

func (h *Handler) deleteDevice(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Write, notFound, notFound)
	if err != nil {
		return err
	}
	expect, err := c.readDeletion(t)
	if err != nil {
		return err
	}
	changes, err := h.Store.DeleteDeviceIf(c.ctx(), t.Application, c.parameters[1], expect)
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}
