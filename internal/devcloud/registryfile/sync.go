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
	"github.com/fairlead/fairlead/internal/store"
)

// A Store takes registry documents and tells what changed. *store.Store is one.
type Store interface {
	ApplyApplication(context.Context, *registry.Application) ([]registry.Change, error)
	ApplyDevice(context.Context, *registry.Device) ([]registry.Change, error)
	DeleteApplication(ctx context.Context, name string) ([]registry.Change, error)
	DeleteDevice(ctx context.Context, application, name string) ([]registry.Change, error)
	Application(ctx context.Context, name string) (*registry.Application, error)
	Devices(ctx context.Context, application, uid string, q store.Query) ([]*registry.Device, error)
}

// A Syncer makes a store hold what the files say. It removes what it put there before and no file has any longer, also
// from an earlier process, and touches nothing else: an application with devices that came another way stays.
type Syncer struct {
	Store Store
	// Invalidate tells caches what changed. It is called for what was written even if writing ended with an error.
	Invalidate func(context.Context, ...registry.Change) error
	// Memory is the file that notes what came from files.
	Memory string
}

// Done says what a Sync did.
type Done struct {
	Changed int      // documents
	Kept    []string // applications that are in no file any longer and have devices that came from no file
}

// maxWhole bounds how many earlier states of files are remembered.
const maxWhole = 64

// A memory is what a Syncer remembers. It is as secret as the files.
type memory struct {
	names
	Files []File   `json:"files,omitempty"` // as they were when they were last obeyed
	Whole []string `json:"whole,omitempty"` // hashes of files that were obeyed, the newest last
}

type names struct {
	Applications []string     `json:"applications"`
	Devices      []deviceName `json:"devices"`
}

type deviceName struct {
	Application string `json:"application"`
	Name        string `json:"name"`
}

// Check says whether a Sync would refuse the contents, and whether it would remove a document.
func (s *Syncer) Check(contents Contents) (removes bool, err error) {
	before, err := s.recall()
	if err != nil {
		return false, err
	}
	applications, devices := before.without(contents.names())
	return len(applications)+len(devices) > 0, checkCut(before.Files, contents.Files, before.Whole)
}

// Sync writes the contents. It writes nothing if a file looks as if it had been cut short; that is a CutError.
func (s *Syncer) Sync(ctx context.Context, contents Contents) (Done, error) {
	before, err := s.recall()
	if err != nil {
		return Done{}, err
	}
	if err := checkCut(before.Files, contents.Files, before.Whole); err != nil {
		return Done{}, err
	}
	now := memory{names: contents.names(), Files: contents.Files, Whole: before.Whole}
	for _, file := range contents.Files {
		now.Whole = append(now.Whole, file.hash())
	}
	now.Whole = now.Whole[max(0, len(now.Whole)-maxWhole):]
	// What is about to be written is remembered first: a crash in between must not orphan it.
	if err := s.remember(memory{before.union(now.names), before.Files, before.Whole}); err != nil {
		return Done{}, err
	}
	changes, kept, err := s.write(ctx, contents, before.names, now.names)
	if len(changes) > 0 && s.Invalidate != nil {
		err = errors.Join(err, s.Invalidate(ctx, changes...))
	}
	done := Done{Changed: len(changes), Kept: kept}
	if err != nil {
		return done, fmt.Errorf("bringing the registry to what the files say: %w", err)
	}
	return done, s.remember(now)
}

func (s *Syncer) write(ctx context.Context, contents Contents, before, now names) (all []registry.Change, kept []string, err error) {
	// Removal comes first: an alias may move from a document that goes to one that comes.
	all, kept, err = s.remove(ctx, before, now)
	if err != nil {
		return all, kept, err
	}
	for _, a := range contents.Applications {
		changes, err := s.Store.ApplyApplication(ctx, a)
		all = append(all, changes...)
		if err != nil {
			return all, kept, fmt.Errorf("application %q: %w", a.Metadata.Name, err)
		}
	}
	for _, d := range contents.Devices {
		changes, err := s.Store.ApplyDevice(ctx, d)
		all = append(all, changes...)
		if err != nil {
			return all, kept, fmt.Errorf("device %q of %q: %w", d.Metadata.Name, d.Metadata.Application, err)
		}
	}
	return all, kept, nil
}

// remove removes what was in files before and is in none now.
func (s *Syncer) remove(ctx context.Context, before, now names) (all []registry.Change, kept []string, err error) {
	applications, devices := before.without(now)
	for _, d := range devices {
		changes, err := s.Store.DeleteDevice(ctx, d.Application, d.Name)
		all = append(all, changes...)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return all, kept, fmt.Errorf("device %q of %q: %w", d.Name, d.Application, err)
		}
	}
	for _, name := range applications {
		inhabited, err := s.inhabited(ctx, name)
		if err != nil {
			return all, kept, fmt.Errorf("application %q: %w", name, err)
		}
		if inhabited {
			kept = append(kept, name)
			continue
		}
		changes, err := s.Store.DeleteApplication(ctx, name)
		all = append(all, changes...)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return all, kept, fmt.Errorf("application %q: %w", name, err)
		}
	}
	return all, kept, nil
}

// inhabited tells whether an application has devices.
func (s *Syncer) inhabited(ctx context.Context, name string) (bool, error) {
	application, err := s.Store.Application(ctx, name)
	if errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	devices, err := s.Store.Devices(ctx, application.Metadata.Name, application.Metadata.UID, store.Query{Limit: 1})
	return len(devices) > 0, err
}

// without lists what the other names do not have.
func (n names) without(other names) (applications []string, devices []deviceName) {
	present, presentDevices := map[string]bool{}, map[deviceName]bool{}
	for _, name := range other.Applications {
		present[name] = true
	}
	for _, d := range other.Devices {
		presentDevices[d] = true
	}
	applications = slices.DeleteFunc(slices.Clone(n.Applications), func(name string) bool { return present[name] })
	devices = slices.DeleteFunc(slices.Clone(n.Devices), func(d deviceName) bool { return presentDevices[d] })
	return applications, devices
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

func (s *Syncer) recall() (m memory, err error) {
	text, err := os.ReadFile(s.Memory)
	if errors.Is(err, os.ErrNotExist) {
		return memory{}, nil
	}
	if err != nil {
		return memory{}, fmt.Errorf("reading which documents came from files: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return memory{}, fmt.Errorf("reading which documents came from files: %s does not parse", s.Memory)
	}
	return m, nil
}

func (s *Syncer) remember(m memory) error {
	if err := folder.WriteJSON(s.Memory, m); err != nil {
		return fmt.Errorf("noting which documents came from files: %w", err)
	}
	return nil
}
