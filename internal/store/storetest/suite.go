// Package storetest is what every database behind a registry store must pass.
package storetest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
)

// Run runs all tests, each on a store of its own that open makes on an empty database without a schema. The store is
// closed when its test ends.
func Run(t *testing.T, open func(*testing.T) *store.Store) {
	tests := []struct {
		name string
		run  func(*testing.T, *suite)
	}{
		{"documents survive a round trip", testRoundTrip},
		{"versions grow with changes only", testVersions},
		{"aliases find documents", testAliases},
		{"trust anchors find applications", testTrustAnchors},
		{"aliases belong to one resource", testConflicts},
		{"invalid documents are refused", testInvalid},
		{"impossible names are not found", testImpossibleNames},
		{"devices need their application", testReference},
		{"deletion removes", testDelete},
		{"finalizers delay deletion", testFinalizers},
		{"applications take their devices along", testCascade},
		{"applications wait for devices with finalizers", testCascadeFinalizers},
		{"many devices are deleted in batches", testCascadeBatches},
		{"deletions that were cut short are ended", testSweep},
		{"the outbox keeps what was not sent", testOutbox},
		{"a failed write leaves no trace", testRollback},
		{"one of two claims to an alias wins", testRacingClaims},
		{"no concurrent change is lost", testRacingChanges},
		{"devices that are created at once do not fail because of each other", testRacingCreations},
		{"aliases can be swapped concurrently", testSwappingAliases},
		{"an application is not deleted under a new device", testRacingDeletion},
		{"errors hold no secrets", testSecrets},
		{"what exists is not created again", testCreate},
		{"quotas are kept, however many create devices at once", testQuotas},
		{"writers say what they expect", testExpectations},
		{"functions change documents", testUpdate},
		{"one of many expecting writers wins", testRacingExpectations},
		{"changes name what changed", testPaths},
		{"an application is only deleted as the one it was", testExpectedDeletion},
		{"selectors list what matches", testSelectors},
		{"lists come in pages", testPages},
		{"labels follow their documents", testLabelsFollow},
		{"readers list what they may see", testReaders},
		{"tenants change hands", testTenants},
		{"one of many changes of members wins", testRacingMembers},
		{"the outbox is relayed in order", testRelay},
		{"one relays at a time", testRelayingAtOnce},
		{"a relay that ends early sends again", testRelayAgain},
		{"positions are kept", testPositions},
		{"functions of one name run one at a time", testExclusive},
		{"access tokens are kept", testTokens},
		{"users are known by name", testUsers},
	}
	t.Run("schema", func(t *testing.T) { testSchema(t, open(t)) })
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := closing(t, open(t))
			if err := migrate.Up(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			test.run(t, &suite{Store: s, t: t})
		})
	}
}

func closing(t *testing.T, s *store.Store) *store.Store {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func testSchema(t *testing.T, s *store.Store) {
	closing(t, s)
	if err := s.Ready(t.Context()); !errors.Is(err, store.ErrSchema) {
		t.Fatalf("without a schema: Ready = %v, want ErrSchema", err)
	}
	for range 2 {
		if err := migrate.Up(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Fatalf("with a schema: Ready = %v", err)
		}
	}
}

// A suite is a store with helpers that fail the test.
type suite struct {
	*store.Store
	t *testing.T
}

func (s *suite) applyApplication(document string) []registry.Change {
	s.t.Helper()
	changes, err := s.ApplyApplication(s.t.Context(), application(s.t, document))
	if err != nil {
		s.t.Fatal(err)
	}
	return changes
}

func (s *suite) applyDevice(document string) []registry.Change {
	s.t.Helper()
	changes, err := s.ApplyDevice(s.t.Context(), device(s.t, document))
	if err != nil {
		s.t.Fatal(err)
	}
	return changes
}

func (s *suite) application(alias string) *registry.Application {
	s.t.Helper()
	found, err := s.Application(s.t.Context(), alias)
	if err != nil {
		s.t.Fatalf("Application(%q): %v", alias, err)
	}
	return found
}

func (s *suite) device(application, alias string) *registry.Device {
	s.t.Helper()
	found, err := s.Device(s.t.Context(), application, alias)
	if err != nil {
		s.t.Fatalf("Device(%q, %q): %v", application, alias, err)
	}
	return found
}

func (s *suite) noApplication(alias string) {
	s.t.Helper()
	if _, err := s.Application(s.t.Context(), alias); !errors.Is(err, registry.ErrNotFound) {
		s.t.Errorf("Application(%q): %v, want not found", alias, err)
	}
}

func (s *suite) noDevice(application, alias string) {
	s.t.Helper()
	if _, err := s.Device(s.t.Context(), application, alias); !errors.Is(err, registry.ErrNotFound) {
		s.t.Errorf("Device(%q, %q): %v, want not found", application, alias, err)
	}
}

func (s *suite) pending() []store.Entry {
	s.t.Helper()
	entries, err := s.Pending(s.t.Context(), 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	return entries
}

// forget empties the outbox.
func (s *suite) forget() {
	s.t.Helper()
	for _, entry := range s.pending() {
		if err := s.Sent(s.t.Context(), entry.Seq); err != nil {
			s.t.Fatal(err)
		}
	}
}

// want compares changes, and that the outbox has just these.
func (s *suite) want(got []registry.Change, want ...registry.Change) {
	s.t.Helper()
	ignored := cmpopts.IgnoreFields(registry.Change{}, "UID")
	if diff := cmp.Diff(want, got, ignored, cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("changes (-want +got):\n%s", diff)
	}
	var stored []registry.Change
	for _, entry := range s.pending() {
		stored = append(stored, entry.Change)
	}
	if diff := cmp.Diff(got, stored, cmpopts.EquateEmpty()); diff != "" {
		s.t.Errorf("outbox (-returned +stored):\n%s", diff)
	}
	for _, change := range got {
		if change.UID == "" {
			s.t.Errorf("change without a uid: %+v", change)
		}
	}
	s.forget()
}

func application(t *testing.T, document string) *registry.Application {
	t.Helper()
	a, err := registry.DecodeApplication([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func device(t *testing.T, document string) *registry.Device {
	t.Helper()
	d, err := registry.DecodeDevice([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func applicationChange(name string, revision uint64, aliases ...string) registry.Change {
	return registry.Change{Kind: registry.ApplicationChanged, Application: name, Revision: revision, Aliases: aliases, Paths: []string{"."}}
}

func deviceChange(application, name string, revision uint64, aliases ...string) registry.Change {
	return registry.Change{Kind: registry.DeviceChanged, Application: application, Device: name, Revision: revision, Aliases: aliases, Paths: []string{"."}}
}

// at replaces the paths of a change, which are those of a new or removed document.
func at(c registry.Change, paths ...string) registry.Change {
	c.Paths = paths
	return c
}

func deleted(c registry.Change) registry.Change {
	c.Deleted = true
	return c
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
