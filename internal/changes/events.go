package changes

import (
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

// events makes one event for each path of a change. An entry of an earlier release has no paths.
func (r *Relay) events(entry store.Entry) []event.Change {
	change := entry.Change
	paths := change.Paths
	if len(paths) == 0 {
		paths = []string{registry.EverythingChanged}
	}
	events := make([]event.Change, len(paths))
	for i, path := range paths {
		events[i] = event.Change{
			Instance:    r.config.Instance,
			Application: change.Application,
			Device:      change.Device,
			UID:         change.UID,
			Revision:    change.Revision,
			Path:        path,
			Time:        entry.Created,
		}
	}
	return events
}
