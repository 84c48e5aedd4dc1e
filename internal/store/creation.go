package store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fairlead/fairlead/internal/gather"
	"github.com/fairlead/fairlead/internal/registry"
)

// creationsTogether is how many devices are created in one transaction at most, so that it is short.
const creationsTogether = 64

// A creation is a device that is to be created, and what became of it.
type creation struct {
	draft          *draft
	applicationUID string // that is expected

	alone   bool // it is yet to be created in a transaction of its own
	changes []registry.Change
	err     error
}

// newCreations has devices of one application created together.
func newCreations(s *Store) *gather.Group[*creation] {
	limits := gather.Limits{Together: creationsTogether, AtOnce: 2}
	if s.dialect.ForUpdate == "" {
		limits.AtOnce = 1 // there is one writer
	}
	sameApplication := func(a, b *creation) bool {
		return a.draft.application == b.draft.application && a.applicationUID == b.applicationUID
	}
	return gather.New(limits, sameApplication, s.createTogether)
}

// createTogether creates devices of one application in one transaction. If that cannot be, each is created in its own, so
// that none fails because of another.
func (s *Store) createTogether(ctx context.Context, all []*creation) {
	if len(all) == 1 {
		all[0].run(ctx, s)
		return
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b *creation) int { return strings.Compare(a.draft.name, b.draft.name) })
	changes, err := s.writing(ctx, "creating devices", func(w *writer) error { return w.createAll(ctx, sorted) })
	for i, c := range sorted {
		if c.alone = err != nil; !c.alone {
			c.changes = changes[i : i+1 : i+1]
		}
	}
}

// run creates the device in a transaction of its own.
func (c *creation) run(ctx context.Context, s *Store) {
	c.changes, c.err = s.writing(ctx, "creating a device", func(w *writer) error {
		if err := w.forCreation(ctx, c); err != nil {
			return err
		}
		return w.create(ctx, w.devices, c.draft, taken(registry.AliasName))
	})
}

// forCreation keeps the application as it is until the transaction ends, if it may have new devices.
func (w *writer) forCreation(ctx context.Context, c *creation) error {
	deleting, err := w.shareApplication(ctx, c.draft.application, &Expect{ApplicationUID: c.applicationUID})
	if err == nil && deleting {
		err = ErrReference
	}
	return err
}

// errNotTogether is a name or an alias that is taken: one of them has to hear of it.
var errNotTogether = errors.New("not all can be created")

// createAll inserts devices of one application, sorted by name, and everything that belongs to them. The changes are in
// their order.
func (w *writer) createAll(ctx context.Context, all []*creation) error {
	if err := w.forCreation(ctx, all[0]); err != nil {
		return err
	}
	var devices, aliases, index [][]any
	changes := make([]registry.Change, len(all))
	for i, c := range all {
		next := c.draft.fresh()
		added, err := labels(next.labels)
		if err != nil {
			return err
		}
		devices = append(devices, next.values())
		index = append(index, labelRows(&next, added)...)
		for _, alias := range c.draft.aliases {
			aliases = append(aliases, append([]any{alias.Value}, next.key()...))
		}
		changes[i] = w.devices.change(&next, event{aliases: c.draft.names(), paths: everything()})
	}
	// Everybody claims aliases in this order, so that few writers deadlock.
	slices.SortFunc(aliases, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	for _, part := range []struct {
		into *insertion
		rows [][]any
	}{{&w.devices.insert, devices}, {&w.devices.claim, aliases}, {&w.devices.label, index}} {
		inserted, err := w.insert(ctx, part.into, part.rows)
		if err != nil {
			return err
		}
		if inserted < int64(len(part.rows)) {
			return errNotTogether
		}
	}
	return w.recordAll(ctx, changes)
}
