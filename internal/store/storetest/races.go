package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

const writers = 8

// race runs a function in several goroutines at once and returns their errors.
func race(n int, run func(i int) error) []error {
	results := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			results[i] = run(i)
		})
	}
	close(start)
	group.Wait()
	return results
}

func testRacingClaims(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.forget()
	documents := make([]*registry.Device, writers)
	for i := range documents {
		documents[i] = device(t, fmt.Sprintf(`{"metadata":{"name":"d%d","application":"app"},"spec":{"alias":["same"]}}`, i))
	}
	won := -1
	for i, err := range race(writers, func(i int) error { _, err := s.ApplyDevice(t.Context(), documents[i]); return err }) {
		switch {
		case err == nil && won < 0:
			won = i
		case err == nil:
			t.Errorf("writers %d and %d both have the alias", won, i)
		case !errors.Is(err, store.ErrConflict):
			t.Errorf("writer %d: %v, want ErrConflict", i, err)
		}
	}
	if won < 0 {
		t.Fatal("nobody has the alias")
	}
	name := fmt.Sprintf("d%d", won)
	if found := s.device("app", "same"); found.Metadata.Name != name {
		t.Errorf("the alias finds %q, want %q", found.Metadata.Name, name)
	}
	if entries := s.pending(); len(entries) != 1 || entries[0].Change.Device != name {
		t.Errorf("outbox: %+v, want the winner only", entries)
	}
}

func testRacingChanges(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.forget()
	documents := make([]*registry.Device, writers)
	for i := range documents {
		documents[i] = device(t, fmt.Sprintf(`{"metadata":{"name":"d","application":"app"},"spec":{"x":%d}}`, i))
	}
	for i, err := range race(writers, func(i int) error { _, err := s.ApplyDevice(t.Context(), documents[i]); return err }) {
		if err != nil {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if m := s.device("app", "d").Metadata; m.Revision != writers || m.Generation != writers {
		t.Errorf("revision %d and generation %d after %d changes", m.Revision, m.Generation, writers)
	}
	for i, entry := range s.pending() {
		if entry.Change.Revision != uint64(i+1) {
			t.Errorf("entry %d of the outbox is revision %d", i, entry.Change.Revision)
		}
	}
}

func testSwappingAliases(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	for round := range 3 {
		x, y := fmt.Sprintf("x%d", round), fmt.Sprintf("y%d", round)
		s.applyDevice(`{"metadata":{"name":"d0","application":"app"},"spec":{"alias":["` + x + `"]}}`)
		s.applyDevice(`{"metadata":{"name":"d1","application":"app"},"spec":{"alias":["` + y + `"]}}`)
		swapped := []*registry.Device{
			device(t, `{"metadata":{"name":"d0","application":"app"},"spec":{"alias":["`+y+`"]}}`),
			device(t, `{"metadata":{"name":"d1","application":"app"},"spec":{"alias":["`+x+`"]}}`),
		}
		// Neither can have the alias before the other one gives it up, and a deadlock must not show.
		for i, err := range race(2, func(i int) error { _, err := s.ApplyDevice(t.Context(), swapped[i]); return err }) {
			if err != nil && !errors.Is(err, store.ErrConflict) {
				t.Errorf("writer %d: %v", i, err)
			}
		}
	}
}

func testRacingDeletion(t *testing.T, s *suite) {
	for range 5 {
		s.applyApplication(`{"metadata":{"name":"app"}}`)
		created := device(t, `{"metadata":{"name":"d","application":"app"}}`)
		results := race(2, func(i int) error {
			if i == 0 {
				_, err := s.DeleteApplication(t.Context(), "app")
				return err
			}
			_, err := s.ApplyDevice(t.Context(), created)
			return err
		})
		if results[0] != nil {
			t.Errorf("deleting the application: %v", results[0])
		}
		if results[1] != nil && !errors.Is(results[1], store.ErrReference) {
			t.Errorf("creating the device: %v", results[1])
		}
		s.noApplication("app")
		s.noDevice("app", "d")
	}
}

// testRacingCreations creates devices at the same time, of which some are not possible: nobody else fails because of them.
func testRacingCreations(t *testing.T, s *suite) {
	const count = 40
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyApplication(`{"metadata":{"name":"other"}}`)
	s.applyDevice(`{"metadata":{"name":"there","application":"app"}}`)
	s.forget()
	var documents []*registry.Device
	want := map[string]registry.Change{}
	for i := range count {
		name, application := fmt.Sprintf("d%02d", i), []string{"app", "other"}[i%10/9]
		documents = append(documents, device(t, fmt.Sprintf(
			`{"metadata":{"name":"%s","application":"%s","labels":{"n":"%d","a":"b"}},"spec":{"alias":["z%s","a%s"]}}`, name, application, i, name, name)))
		want[name] = deviceChange(application, name, 1, "a"+name, name, "z"+name)
	}
	twice := device(t, `{"metadata":{"name":"there","application":"app"}}`)
	taken := device(t, `{"metadata":{"name":"wrong","application":"app"},"spec":{"alias":["there"]}}`)
	nowhere := device(t, `{"metadata":{"name":"wrong","application":"none"}}`)
	documents = append(documents, twice, taken, nowhere)
	changes := make([][]registry.Change, len(documents))
	results := race(len(documents), func(i int) (err error) {
		changes[i], err = s.CreateDevice(t.Context(), documents[i], store.Expect{})
		return err
	})
	for i, d := range documents[:count] {
		if results[i] != nil {
			t.Errorf("creating %s: %v", d.Metadata.Name, results[i])
			continue
		}
		m := s.device(d.Metadata.Application, "a"+d.Metadata.Name).Metadata
		if m.Generation != 1 || m.Revision != 1 || m.ResourceVersion == "" || m.UID != changes[i][0].UID {
			t.Errorf("%s is stored as %+v, and %+v is said to have changed", d.Metadata.Name, m, changes[i])
		}
	}
	s.wantField(results[count], store.ErrConflict, "metadata.name")
	s.wantField(results[count+1], store.ErrConflict, "spec.alias")
	s.wantField(results[count+2], store.ErrReference, "")
	s.noDevice("app", "wrong")
	for _, entry := range s.pending() {
		name := entry.Change.Device
		entry.Change.UID = ""
		if diff := cmp.Diff(want[name], entry.Change); diff != "" {
			t.Errorf("outbox: %s", diff)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("the outbox lacks %v", want)
	}
	if got := s.listDevices("other", store.Query{Selector: selector(t, "n=9,a=b")}); len(got) != 1 {
		t.Errorf("a label lists %v", got)
	}
}
