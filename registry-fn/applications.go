package registryfn

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// readApplication reads the body as an application, whose name must be the one of the path unless that is "".
func (c *call) readApplication(name string) (*registry.Application, error) {
	var a registry.Application
	if err := c.decode(&a, false); err != nil {
		return nil, err
	}
	if name != "" && a.Metadata.Name != name {
		return nil, badRequest("metadata.name: must be the name in the path")
	}
	if !c.caller.Service {
		a.Status = nil
	}
	if err := resolve(&a); err != nil {
		return nil, badRequest(err.Error())
	}
	if err := a.Validate(); err != nil {
		return nil, badRequest(err.Error())
	}
	c.warn(registry.CheckApplication(&a))
	return &a, nil
}

// resolve puts the parsed trust anchors of the specification into the status, which is what admits devices. Nobody
// writes them there.
func resolve(a *registry.Application) error {
	anchors, err := registry.ResolveTrustAnchors(a.Spec)
	if err != nil {
		return err
	}
	a.Status = a.Status.Without(registry.SectionTrustAnchors)
	if len(anchors.Anchors) == 0 {
		return nil
	}
	section, err := encode(anchors)
	if err != nil {
		return err
	}
	a.Status[registry.SectionTrustAnchors] = section
	return nil
}

func (h *Handler) createApplication(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	if !c.caller.MayCreate() {
		return notPermitted
	}
	a, err := c.readApplication("")
	if err != nil {
		return err
	}
	changes, err := h.Store.CreateApplication(c.ctx(), a, c.caller.ID)
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	c.w.Header().Set("Location", h.config.Endpoints.base()+registryBase+"/apps/"+url.PathEscape(a.Metadata.Name))
	return c.respond(http.StatusCreated)
}

func (h *Handler) getApplication(c *call) error {
	name := c.parameters[0]
	t, err := h.tenant(c, name, user.Read, nothingThere, notPermitted)
	if err != nil {
		return err
	}
	a, err := h.Store.Application(c.ctx(), name)
	if errors.Is(err, registry.ErrNotFound) {
		return nothingThere
	}
	if err != nil {
		return err
	}
	if !c.may(t, user.Write) {
		a = a.WithoutSecrets()
	}
	return c.answer(a)
}

func (h *Handler) replaceApplication(c *call) error {
	return h.updateApplication(c, func(expect *store.Expect) (func(*registry.Application) error, error) {
		a, err := c.readApplication(c.parameters[0])
		if err != nil {
			return nil, err
		}
		expect.UID, expect.ResourceVersion = a.Metadata.UID, a.Metadata.ResourceVersion
		return func(stored *registry.Application) error {
			replaceMetadata(&stored.Metadata, &a.Metadata)
			stored.Spec = a.Spec
			if c.caller.Service {
				stored.Status = a.Status
			}
			return resolve(stored)
		}, nil
	})
}

// replaceMetadata takes over what a writer decides.
func replaceMetadata(stored, given *registry.Metadata) {
	stored.Labels, stored.Annotations, stored.Finalizers = given.Labels, given.Annotations, given.Finalizers
}

func (h *Handler) patchApplication(c *call) error {
	return h.updateApplication(c, func(*store.Expect) (func(*registry.Application) error, error) {
		patch, err := c.readPatch()
		if err != nil {
			return nil, err
		}
		return func(stored *registry.Application) error {
			var patched registry.Application
			if err := patch.apply(stored, &patched); err != nil {
				return err
			}
			if err := c.checkPatched(&stored.Metadata, &patched.Metadata); err != nil {
				return err
			}
			c.warn(registry.CheckApplication(&patched))
			replaceMetadata(&stored.Metadata, &patched.Metadata)
			stored.Spec = patched.Spec
			if c.caller.Service {
				stored.Status = patched.Status
			}
			if err := resolve(stored); err != nil {
				return badRequest(err.Error())
			}
			return nil
		}, nil
	})
}

// updateApplication lets a function that is made of the request change an application to which the caller may write.
func (h *Handler) updateApplication(c *call, read func(*store.Expect) (func(*registry.Application) error, error)) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Write, notFound, notPermitted)
	if err != nil {
		return err
	}
	expect := store.Expect{ApplicationUID: t.UID}
	change, err := read(&expect)
	if err != nil {
		return err
	}
	changes, err := h.Store.UpdateApplication(c.ctx(), t.Application, expect, change)
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}

// deletion is the optional body of DELETE.
type deletion struct {
	Preconditions struct {
		UID             string `json:"uid"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"preconditions"`
}

func (c *call) readDeletion(t *store.Tenant) (store.Expect, error) {
	var d deletion
	err := c.decode(&d, true)
	return store.Expect{UID: d.Preconditions.UID, ResourceVersion: d.Preconditions.ResourceVersion, ApplicationUID: t.UID}, err
}

func (h *Handler) deleteApplication(c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Admin, notFound, notPermitted)
	if err != nil {
		return err
	}
	expect, err := c.readDeletion(t)
	if err != nil {
		return err
	}
	// The devices may be too many for one request. Once the deletion has begun it is bound to end: a DeletionSweeper goes on.
	ctx, cancel := context.WithTimeout(c.ctx(), h.config.Timeout/2)
	defer cancel()
	changes, err := h.Store.DeleteApplicationIf(ctx, t.Application, expect)
	if len(changes) > 0 {
		err = nil
	}
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}
