package registryfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/fairlead/fairlead/internal/devcloud/folder"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Store takes registry documents and tells what changed. *store.Store is one.
type Store interface {
	ApplyApplication(context.Context, *registry.Application) ([]registry.Change, error)
	ApplyDevice(context.Context, *registry.Device) ([]registry.Change, error)
	DeleteApplication(ctx context.Context, name string) ([]registry.Change, error)
	DeleteDevice(ctx context.Context, application, name string) ([]registry.Change, error)
}

// A Syncer makes a store hold what the files say. It removes what it put there before and no file has any longer, also
// from an earlier process, and touches nothing else.
type Syncer struct {
	Store Store
	// Invalidate tells caches what changed. It is called for what was written even if writing ended with an error.
	Invalidate func(context.Context, ...registry.Change) error
	// Memory is the file that notes the names of what came from files.
	Memory string
}

// names are what a Syncer remembers: no content.
type names struct {
	Applications []string     `json:"applications"`
	Devices      []deviceName `json:"devices"`
}

type deviceName struct {
	Application string `json:"application"`
	Name        string `json:"name"`
}

// Sync writes the contents and tells how many documents changed.
func (s *Syncer) Sync(ctx context.Context, contents Contents) (changed int, err error) {
	before, err := s.recall()
	if err != nil {
		return 0, err
	}
	now := contents.names()
	// What is about to be written is remembered first: a crash in between must not orphan it.
	if err := s.remember(before.union(now)); err != nil {
		return 0, err
	}
	changes, err := s.write(ctx, contents, before, now)
	if len(changes) > 0 && s.Invalidate != nil {
		err = errors.Join(err, s.Invalidate(ctx, changes...))
	}
	if err != nil {
		return len(changes), fmt.Errorf("bringing the registry to what the files say: %w", err)
	}
	return len(changes), s.remember(now)
}

func (s *Syncer) write(ctx context.Context, contents Contents, before, now names) (all []registry.Change, err error) {
	// Removal comes first: an alias may move from a document that goes to one that comes.
	for _, d := range before.Devices {
		if slices.Contains(now.Devices, d) {
			continue
		}
		changes, err := s.Store.DeleteDevice(ctx, d.Application, d.Name)
		all = append(all, changes...)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return all, fmt.Errorf("device %q of %q: %w", d.Name, d.Application, err)
		}
	}
	for _, name := range before.Applications {
		if slices.Contains(now.Applications, name) {
			continue
		}
		changes, err := s.Store.DeleteApplication(ctx, name)
		all = append(all, changes...)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return all, fmt.Errorf("application %q: %w", name, err)
		}
	}
	for _, a := range contents.Applications {
		changes, err := s.Store.ApplyApplication(ctx, a)
		all = append(all, changes...)
		if err != nil {
			return all, fmt.Errorf("application %q: %w", a.Metadata.Name, err)
		}
	}
	for _, d := range contents.Devices {
		changes, err := s.Store.ApplyDevice(ctx, d)
		all = append(all, changes...)
		if err != nil {
			return all, fmt.Errorf("device %q of %q: %w", d.Metadata.Name, d.Metadata.Application, err)
		}
	}
	return all, nil
}

func (c *Contents) names() names {
	var n names
	for _, a := range c.Applications {
		n.Applications = append(n.Applications, a.Metadata.Name)
	}
	for _, d := range c.Devices {
		n.Devices = append(n.Devices, deviceName{d.Metadata.Application, d.Metadata.Name})
	}
	return n
}

func (n names) union(other names) names {
	both := names{Applications: slices.Concat(n.Applications, other.Applications), Devices: slices.Concat(n.Devices, other.Devices)}
	slices.Sort(both.Applications)
	both.Applications = slices.Compact(both.Applications)
	unique := map[deviceName]bool{}
	both.Devices = slices.DeleteFunc(both.Devices, func(d deviceName) bool {
		seen := unique[d]
		unique[d] = true
		return seen
	})
	return both
}

func (s *Syncer) recall() (n names, err error) {
	text, err := os.ReadFile(s.Memory)
	if errors.Is(err, os.ErrNotExist) {
		return names{}, nil
	}
	if err != nil {
		return names{}, fmt.Errorf("reading which documents came from files: %w", err)
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return names{}, fmt.Errorf("reading which documents came from files: %s does not parse", s.Memory)
	}
	return n, nil
}

func (s *Syncer) remember(n names) error {
	if err := folder.WriteJSON(s.Memory, n); err != nil {
		return fmt.Errorf("noting which documents came from files: %w", err)
	}
	return nil
}
