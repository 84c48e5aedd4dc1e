package registryfn

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// applicationKind is what changing an application differs in from changing a device.
var applicationKind = &kind[registry.Application]{
	document: func(a *registry.Application) *document { return (*document)(a) },
	validate: (*registry.Application).Validate,
	check:    registry.CheckApplication,
	complete: resolve,
	denied:   notPermitted,
	removal:  user.Admin,
	update: func(h *Handler, c *call, t *store.Tenant, expect store.Expect, change func(*registry.Application) error) ([]registry.Change, error) {
		return h.Store.UpdateApplication(c.ctx(), t.Application, expect, change)
	},
	remove: (*Handler).removeApplication,
}

// resolve puts the parsed trust anchors of the specification into the status, which is what admits devices. Nobody
// writes them there. Those whose key is proven, as the stored status says, stay proven.
func resolve(a *registry.Application, stored registry.Sections) error {
	anchors, err := registry.ResolveTrustAnchors(a.Spec)
	if err != nil {
		return err
	}
	before, _, err := registry.Decode[registry.TrustAnchors](stored, registry.SectionTrustAnchors)
	if err == nil {
		anchors.KeepProven(before)
	}
	return setAnchors(a, anchors)
}

// setAnchors writes trust anchors into the status.
func setAnchors(a *registry.Application, anchors registry.TrustAnchors) error {
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
	a, err := applicationKind.read(c, "", "")
	if err != nil {
		return err
	}
	if err := h.nameIsFree(c.ctx(), a.Metadata.Name); err != nil {
		return err
	}
	changes, err := h.Store.CreateApplication(c.ctx(), a, c.caller.ID)
	if err := h.changed(c, changes, err); err != nil {
		return err
	}
	c.w.Header().Set("Location", h.config.Endpoints.base()+registryBase+"/apps/"+url.PathEscape(a.Metadata.Name))
	return c.respond(http.StatusCreated)
}

// Pauses between looks at the topic of an earlier application.
const (
	firstTopicPause   = 10 * time.Millisecond
	longestTopicPause = 200 * time.Millisecond
)

// nameIsFree waits until the topic of an earlier application of a name is deleted. A device of the new one could otherwise be told
// that its message is stored, and have it deleted with that topic.
func (h *Handler) nameIsFree(ctx context.Context, name string) error {
	if h.Topics == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.config.Timeout/2)
	defer cancel()
	pauses := backoff.New(firstTopicPause, longestTopicPause)
	for {
		left, err := h.Topics.Leftover(ctx, name)
		if err != nil || !left {
			return err
		}
		if _, err := h.Store.Application(ctx, name); err == nil {
			return nameTaken
		}
		if !pauses.Wait(ctx) {
			return topicLeft
		}
	}
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

func (h *Handler) removeApplication(c *call, t *store.Tenant, expect store.Expect) ([]registry.Change, error) {
	// The devices may be too many for one request. Once the deletion has begun it is bound to end: a DeletionSweeper goes on.
	ctx, cancel := context.WithTimeout(c.ctx(), h.config.Timeout/2)
	defer cancel()
	changes, err := h.Store.DeleteApplicationIf(ctx, t.Application, expect)
	if len(changes) > 0 {
		return changes, nil
	}
	return changes, err
}
