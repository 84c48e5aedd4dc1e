package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

func (s *suite) deleteApplication(name string) []registry.Change {
	s.t.Helper()
	changes, err := s.DeleteApplication(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return changes
}

func (s *suite) deleteDevice(application, name string) []registry.Change {
	s.t.Helper()
	changes, err := s.DeleteDevice(s.t.Context(), application, name)
	if err != nil {
		s.t.Fatal(err)
	}
	return changes
}

func testDelete(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"app"},"spec":{"alias":["a"]}}`)
	s.forget()
	old := s.device("app", "d").Metadata.UID
	if _, err := s.DeleteDevice(t.Context(), "app", "a"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("deleting by alias: %v, want not found", err)
	}
	s.want(s.deleteDevice("app", "d"), deleted(deviceChange("app", "d", 2, "a", "d")))
	s.noDevice("app", "d")
	s.noDevice("app", "a")
	if _, err := s.DeleteDevice(t.Context(), "app", "d"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("deleting again: %v, want not found", err)
	}
	s.want(s.applyDevice(`{"metadata":{"name":"a","application":"app"}}`), deviceChange("app", "a", 1, "a"))
	if s.device("app", "a").Metadata.UID == old {
		t.Error("a new device has an old uid")
	}
}

func testFinalizers(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"app","finalizers":["f"]}}`)
	s.forget()
	s.want(s.deleteDevice("app", "d"), at(deviceChange("app", "d", 2, "d"), ".metadata"))
	if found := s.device("app", "d").Metadata; !found.Deleting() || found.Generation != 1 {
		t.Errorf("a device with finalizers after its deletion: %+v", found)
	}
	if _, err := s.DeleteDevice(t.Context(), "app", "d"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("deleting again: %v, want not found", err)
	}
	s.want(s.applyDevice(`{"metadata":{"name":"d","application":"app","finalizers":["f"],"labels":{"l":"x"}}}`), at(deviceChange("app", "d", 3, "d"), ".metadata"))
	if !s.device("app", "d").Metadata.Deleting() {
		t.Error("a change ended the deletion")
	}
	s.want(s.applyDevice(`{"metadata":{"name":"d","application":"app"}}`), deleted(deviceChange("app", "d", 4, "d")))
	s.noDevice("app", "d")
}

func testCascade(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyApplication(`{"metadata":{"name":"other"}}`)
	s.applyDevice(`{"metadata":{"name":"d1","application":"app"},"spec":{"alias":["a"]}}`)
	s.applyDevice(`{"metadata":{"name":"d2","application":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d1","application":"other"}}`)
	s.forget()
	s.want(s.deleteApplication("app"),
		deleted(deviceChange("app", "d1", 2, "a", "d1")),
		deleted(deviceChange("app", "d2", 2, "d2")),
		deleted(applicationChange("app", 2, "app")))
	s.noApplication("app")
	s.noDevice("app", "d1")
	s.device("other", "d1")

	// A writer may have set the finalizer of the store.
	s.applyApplication(`{"metadata":{"name":"app","finalizers":["has-devices"]}}`)
	s.deleteApplication("app")
	s.noApplication("app")

	// A new application of that name starts empty.
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.noDevice("app", "d1")
}

func testCascadeFinalizers(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d1","application":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d2","application":"app","finalizers":["f"]}}`)
	s.forget()
	s.want(s.deleteApplication("app"), deleted(deviceChange("app", "d1", 2, "d1")), at(applicationChange("app", 2, "app"), ".metadata"))
	found := s.application("app").Metadata
	if !found.Deleting() || len(found.Finalizers) != 1 || found.Finalizers[0] != store.FinalizerDevices {
		t.Errorf("an application with devices after its deletion: %+v", found)
	}
	if s.device("app", "d2").Metadata.Deleting() {
		t.Error("a device with finalizers is being deleted with its application")
	}
	if _, err := s.DeleteApplication(t.Context(), "app"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("deleting again: %v, want not found", err)
	}
	// The finalizer of the store is not for a writer to remove.
	s.want(s.applyApplication(`{"metadata":{"name":"app"}}`))
	s.want(s.deleteDevice("app", "d2"), at(deviceChange("app", "d2", 2, "d2"), ".metadata"))
	s.want(s.applyDevice(`{"metadata":{"name":"d2","application":"app"}}`),
		deleted(deviceChange("app", "d2", 3, "d2")), deleted(applicationChange("app", 3, "app")))
	s.noApplication("app")
}

func testCascadeBatches(t *testing.T, s *suite) {
	const devices = 101 // one more than fits into a transaction
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	for i := range devices {
		s.applyDevice(fmt.Sprintf(`{"metadata":{"name":"d%d","application":"app","labels":{"k%d":"v"}},"spec":{"alias":["a%d"]}}`, i, i%3, i))
	}
	changes := s.deleteApplication("app")
	removed := 0
	for _, change := range changes {
		if change.Deleted && change.Kind == registry.DeviceChanged && len(change.Aliases) == 2 && change.Revision == 2 {
			removed++
		}
	}
	last := changes[len(changes)-1]
	if removed != devices || last.Kind != registry.ApplicationChanged || !last.Deleted {
		t.Errorf("%d of %d devices removed, and last %+v", removed, devices, last)
	}
	s.noApplication("app")
}

func testSweep(t *testing.T, s *suite) {
	const devices = 101 // one more than fits into a transaction
	sweep := func() (changes []registry.Change, more bool) {
		t.Helper()
		changes, more, err := s.Sweep(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return changes, more
	}
	if changes, more := sweep(); len(changes) > 0 || more {
		t.Errorf("an empty registry: %v, %t", changes, more)
	}
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyApplication(`{"metadata":{"name":"held"}}`)
	s.applyApplication(`{"metadata":{"name":"other"}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"other"}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"held","finalizers":["f"]}}`)
	for i := range devices {
		s.applyDevice(fmt.Sprintf(`{"metadata":{"name":"d%d","application":"app","finalizers":["f"],"labels":{"k":"v"}}}`, i))
	}
	s.deleteApplication("held")
	s.deleteApplication("app")
	s.forget()
	if changes, more := sweep(); len(changes) > 0 || more {
		t.Errorf("what is held by finalizers: %v, %t", changes, more)
	}
	// As a deletion leaves it that ended after its first transaction.
	for i := range devices {
		s.applyDevice(fmt.Sprintf(`{"metadata":{"name":"d%d","application":"app","labels":{"k":"v"}}}`, i))
	}
	if changes, more := sweep(); len(changes) != devices-1 || !more {
		t.Errorf("the first sweep: %d changes, %t", len(changes), more)
	}
	if !s.application("app").Metadata.Deleting() {
		t.Error("the application is gone before its devices")
	}
	for {
		if _, more := sweep(); !more {
			break
		}
	}
	s.noApplication("app")
	s.device("other", "d")
	s.device("held", "d")
	if changes, more := sweep(); len(changes) > 0 || more {
		t.Errorf("nothing is left to do: %v, %t", changes, more)
	}
	s.applyDevice(`{"metadata":{"name":"d","application":"held"}}`) // without its finalizer
	s.deleteDevice("held", "d")
	s.noApplication("held")
}
