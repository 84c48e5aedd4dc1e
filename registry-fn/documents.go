package registryfn

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// A document is an application or a device, as far as they are alike.
type document struct {
	Metadata     registry.Metadata
	Spec, Status registry.Sections
}

// A kind is what changing an application or a device differs in. The last parameter of the path is the name.
type kind[D any] struct {
	document func(*D) *document
	validate func(*D) error
	check    func(*D) []registry.Problem
	// complete adds what follows from what was written and from the status as it is stored; nil: nothing does.
	complete func(written *D, stored registry.Sections) error
	// denied is for callers who may not change it.
	denied *refusal
	// removal is the permission that deleting needs.
	removal user.Permission
	update  func(h *Handler, c *call, t *store.Tenant, expect store.Expect, change func(*D) error) ([]registry.Change, error)
	remove  func(h *Handler, c *call, t *store.Tenant, expect store.Expect) ([]registry.Change, error)
}

// read reads the body. Its name must be the given one unless that is "", and so must its application, which need not be said.
func (k *kind[D]) read(c *call, application, name string) (*D, error) {
	written := new(D)
	if err := c.decodeDocument(written); err != nil {
		return nil, err
	}
	d := k.document(written)
	if application != "" && d.Metadata.Application == "" {
		d.Metadata.Application = application
	}
	if application != "" && d.Metadata.Application != application {
		return nil, badRequest("metadata.application: must be the application in the path")
	}
	if name != "" && d.Metadata.Name != name {
		return nil, badRequest("metadata.name: must be the name in the path")
	}
	if !c.caller.Service {
		d.Status = nil
	}
	if err := k.completed(written, nil); err != nil {
		return nil, err
	}
	if err := k.validate(written); err != nil {
		return nil, badRequest(err.Error())
	}
	c.warn(k.check(written))
	return written, nil
}

func (k *kind[D]) completed(d *D, stored registry.Sections) error {
	if k.complete == nil {
		return nil
	}
	if err := k.complete(d, stored); err != nil {
		return badRequest(err.Error())
	}
	return nil
}

// replace serves PUT.
func (k *kind[D]) replace(h *Handler, c *call) error {
	return k.change(h, c, func(expect *store.Expect) (func(*D) error, error) {
		application, name := place(c)
		written, err := k.read(c, application, name)
		if err != nil {
			return nil, err
		}
		m := &k.document(written).Metadata
		expect.UID, expect.ResourceVersion = m.UID, m.ResourceVersion
		return func(stored *D) error { return k.assign(c, stored, written) }, nil
	})
}

// place is where in the path a document is: in an application, or, if that is "", at the top.
func place(c *call) (application, name string) {
	if len(c.parameters) == 1 {
		return "", c.parameters[0]
	}
	return c.parameters[0], c.parameters[1]
}

// patch serves PATCH.
func (k *kind[D]) patch(h *Handler, c *call) error {
	return k.change(h, c, func(*store.Expect) (func(*D) error, error) {
		patch, err := c.readPatch()
		if err != nil {
			return nil, err
		}
		return func(stored *D) error {
			patched := new(D)
			if err := patch.apply(stored, patched); err != nil {
				return err
			}
			if err := c.checkPatched(&k.document(stored).Metadata, &k.document(patched).Metadata); err != nil {
				return err
			}
			c.warn(k.check(patched))
			return k.assign(c, stored, patched)
		}, nil
	})
}

// assign takes over what a writer decides.
func (k *kind[D]) assign(c *call, to, from *D) error {
	stored, given := k.document(to), k.document(from)
	before := stored.Status
	stored.Metadata.Labels, stored.Metadata.Annotations = given.Metadata.Labels, given.Metadata.Annotations
	stored.Metadata.Finalizers = given.Metadata.Finalizers
	stored.Spec = given.Spec
	if c.caller.Service {
		stored.Status = given.Status
	}
	return k.completed(to, before)
}

// change lets a function that is made of the request change a document that the caller may write.
func (k *kind[D]) change(h *Handler, c *call, read func(*store.Expect) (func(*D) error, error)) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], user.Write, notFound, k.denied)
	if err != nil {
		return err
	}
	expect := store.Expect{ApplicationUID: t.UID}
	change, err := read(&expect)
	if err != nil {
		return err
	}
	changes, err := k.update(h, c, t, expect, change)
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

// delete serves DELETE.
func (k *kind[D]) delete(h *Handler, c *call) error {
	if err := h.changing(c); err != nil {
		return err
	}
	t, err := h.tenant(c, c.parameters[0], k.removal, notFound, k.denied)
	if err != nil {
		return err
	}
	var d deletion
	if err := c.decode(&d, true); err != nil {
		return err
	}
	expect := store.Expect{UID: d.Preconditions.UID, ResourceVersion: d.Preconditions.ResourceVersion, ApplicationUID: t.UID}
	changes, err := k.remove(h, c, t, expect)
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	return c.respond(http.StatusNoContent)
}
