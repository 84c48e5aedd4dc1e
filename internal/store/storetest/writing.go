package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

func testCreate(t *testing.T, s *suite) {
	changes, err := s.CreateApplication(t.Context(), application(t, `{"metadata":{"name":"app","labels":{"a":"b"}}}`), "owner")
	if err != nil {
		t.Fatal(err)
	}
	s.want(changes, applicationChange("app", 1, "app"))
	if tenant := s.tenant("app"); tenant.Owner != "owner" {
		t.Errorf("the application belongs to %q", tenant.Owner)
	}
	_, err = s.CreateApplication(t.Context(), application(t, `{"metadata":{"name":"app"}}`), "other")
	s.wantField(err, store.ErrConflict, "metadata.name")
	if tenant := s.tenant("app"); tenant.Owner != "owner" {
		t.Errorf("the application now belongs to %q", tenant.Owner)
	}

	uid := s.tenant("app").UID
	changes, err = s.CreateDevice(t.Context(), device(t, `{"metadata":{"name":"d","application":"app"},"spec":{"alias":["a"]}}`), store.Expect{ApplicationUID: uid})
	if err != nil {
		t.Fatal(err)
	}
	s.want(changes, deviceChange("app", "d", 1, "a", "d"))
	f := func(document string, expect store.Expect, kind error, path string) {
		t.Helper()
		_, err := s.CreateDevice(t.Context(), device(t, document), expect)
		s.wantField(err, kind, path)
		s.want(nil)
	}
	f(`{"metadata":{"name":"d","application":"app"}}`, store.Expect{}, store.ErrConflict, "metadata.name")
	f(`{"metadata":{"name":"a","application":"app"}}`, store.Expect{}, store.ErrConflict, "metadata.name")
	f(`{"metadata":{"name":"e","application":"app"},"spec":{"alias":["d"]}}`, store.Expect{}, store.ErrConflict, "spec.alias")
	f(`{"metadata":{"name":"e","application":"app"}}`, store.Expect{ApplicationUID: "another"}, store.ErrReference, "")
	f(`{"metadata":{"name":"e","application":"none"}}`, store.Expect{}, store.ErrReference, "")
	s.noDevice("app", "e")
}

// wantField checks the kind of an error, and which field it is about unless that is "".
func (s *suite) wantField(err, kind error, path string) {
	s.t.Helper()
	if !errors.Is(err, kind) {
		s.t.Errorf("%v, want %v", err, kind)
	}
	var at *store.FieldError
	if path != "" && (!errors.As(err, &at) || !strings.HasPrefix(at.Text, path+": ")) {
		s.t.Errorf("%v, want an error at %s", err, path)
	}
}

func keep(*registry.Device) error { return nil }

func testExpectations(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"app"}}`)
	s.forget()
	app, d := s.application("app").Metadata, s.device("app", "d").Metadata
	f := func(expect store.Expect, want error) {
		t.Helper()
		_, err := s.UpdateDevice(t.Context(), "app", "d", expect, keep)
		if !errors.Is(err, want) {
			t.Errorf("changing a device with %+v: %v, want %v", expect, err, want)
		}
		if want != nil {
			if _, err := s.DeleteDeviceIf(t.Context(), "app", "d", expect); !errors.Is(err, want) {
				t.Errorf("deleting a device with %+v: %v, want %v", expect, err, want)
			}
		}
		s.want(nil)
	}
	f(store.Expect{}, nil)
	f(store.Expect{UID: d.UID}, nil)
	f(store.Expect{ResourceVersion: d.ResourceVersion}, nil)
	f(store.Expect{UID: d.UID, ResourceVersion: d.ResourceVersion, ApplicationUID: app.UID}, nil)
	f(store.Expect{UID: app.UID}, store.ErrExpectation)
	f(store.Expect{ResourceVersion: "x"}, store.ErrExpectation)
	f(store.Expect{UID: d.UID, ResourceVersion: app.ResourceVersion}, store.ErrExpectation)
	f(store.Expect{ApplicationUID: d.UID}, store.ErrReference)

	g := func(expect store.Expect, want error) {
		t.Helper()
		_, err := s.UpdateApplication(t.Context(), "app", expect, func(*registry.Application) error { return nil })
		if !errors.Is(err, want) {
			t.Errorf("changing an application with %+v: %v, want %v", expect, err, want)
		}
		if want != nil {
			if _, err := s.DeleteApplicationIf(t.Context(), "app", expect); !errors.Is(err, want) {
				t.Errorf("deleting an application with %+v: %v, want %v", expect, err, want)
			}
		}
		s.want(nil)
	}
	g(store.Expect{UID: app.UID, ResourceVersion: app.ResourceVersion, ApplicationUID: app.UID}, nil)
	g(store.Expect{UID: d.UID}, store.ErrExpectation)
	g(store.Expect{ResourceVersion: d.ResourceVersion}, store.ErrExpectation)
	g(store.Expect{ApplicationUID: d.UID}, registry.ErrNotFound)
}

func testUpdate(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"app"},"spec":{"x":1,"alias":["a"]}}`)
	s.forget()
	f := func(want error, path string, change func(*registry.Device) error) {
		t.Helper()
		before := s.device("app", "d").Metadata
		_, err := s.UpdateDevice(t.Context(), "app", "d", store.Expect{}, change)
		s.wantField(err, want, path)
		if after := s.device("app", "d").Metadata; want != nil && after.ResourceVersion != before.ResourceVersion {
			t.Errorf("a change that failed with %v changed the document", err)
		}
	}
	f(nil, "", func(d *registry.Device) error {
		if string(d.Spec["x"]) != "1" || d.Metadata.UID == "" || d.Metadata.ResourceVersion == "" {
			t.Errorf("the function sees %+v", d)
		}
		d.Spec["x"] = []byte(`2`)
		d.Metadata.UID, d.Metadata.Generation, d.Metadata.DeletionTimestamp = "forged", 77, &d.Metadata.CreationTimestamp
		return nil
	})
	s.want(s.pendingChanges(), at(deviceChange("app", "d", 2, "a", "d"), ".spec.x"))
	if d := s.device("app", "a"); string(d.Spec["x"]) != "2" || d.Metadata.UID == "forged" || d.Metadata.Generation != 2 || d.Metadata.Deleting() {
		t.Errorf("after a change: %+v", d)
	}
	f(store.ErrInvalid, "metadata.name", func(d *registry.Device) error { d.Metadata.Name = "e"; return nil })
	f(store.ErrInvalid, "metadata.name", func(d *registry.Device) error { d.Metadata.Application = "other"; return nil })
	f(store.ErrInvalid, "spec.alias", func(d *registry.Device) error { d.Spec["alias"] = []byte(`[""]`); return nil })
	f(store.ErrInvalid, "metadata.labels", func(d *registry.Device) error { d.Metadata.Labels = map[string]string{"": ""}; return nil })
	mine := errors.New("not like this")
	f(mine, "", func(d *registry.Device) error { d.Spec["x"] = []byte(`3`); return mine })
	s.want(nil)

	for _, name := range []string{"none", "a", "\x00"} {
		if _, err := s.UpdateDevice(t.Context(), "app", name, store.Expect{}, keep); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("changing %q: %v, want not found", name, err)
		}
	}
	if _, err := s.UpdateDevice(t.Context(), "none", "d", store.Expect{}, keep); !errors.Is(err, store.ErrReference) {
		t.Errorf("changing a device of no application: %v, want ErrReference", err)
	}
	none := func(*registry.Application) error { return nil }
	for _, name := range []string{"none", "\x00"} {
		if _, err := s.UpdateApplication(t.Context(), name, store.Expect{}, none); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("changing the application %q: %v, want not found", name, err)
		}
	}
}

// Writers who read the same version: exactly one of them changes it.
func testRacingExpectations(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"app"}}`)
	for round := range 5 {
		s.forget()
		version := s.device("app", "d").Metadata.ResourceVersion
		won := -1
		for i, err := range race(writers, func(i int) error {
			_, err := s.UpdateDevice(t.Context(), "app", "d", store.Expect{ResourceVersion: version}, func(d *registry.Device) error {
				d.Metadata.Labels = map[string]string{"writer": fmt.Sprint(round, i)}
				return nil
			})
			return err
		}) {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Errorf("writers %d and %d both changed the same version", won, i)
			case !errors.Is(err, store.ErrExpectation):
				t.Errorf("writer %d: %v, want ErrExpectation", i, err)
			}
		}
		if got := s.device("app", "d").Metadata.Labels["writer"]; won < 0 || got != fmt.Sprint(round, won) {
			t.Errorf("writer %d won, and the document is of %q", won, got)
		}
		if entries := s.pending(); len(entries) != 1 {
			t.Errorf("%d entries in the outbox, want that of the winner", len(entries))
		}
	}
}

func testPaths(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	var many strings.Builder
	for i := range 33 {
		fmt.Fprintf(&many, `,"s%d":1`, i)
	}
	f := func(document string, want ...string) {
		t.Helper()
		changes := s.applyDevice(`{"metadata":{"name":"d","application":"app"` + document + `}`)
		var got []string
		for _, change := range changes {
			got = append(got, change.Paths...)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%.60s: %q, want %q", document, got, want)
		}
	}
	f(`}`, ".")
	f(`},"spec":{"b":1,"a":{"x":1,"y":2}},"status":{"s":1}`, ".spec.a", ".spec.b", ".status.s")
	f(`},"spec":{"b":1,"a":{"y":2,"x":1}},"status":{"s":1}`)
	f(`,"labels":{"l":"1"}},"spec":{"b":1,"c":2},"status":{"s":2}`, ".metadata", ".spec.a", ".spec.c", ".status.s")
	f(`,"annotations":{"l":"1"}},"spec":{"b":1,"c":2},"status":{"s":2}`, ".metadata")
	f(`,"finalizers":["l"]},"spec":{"b":1,"c":2},"status":{"s":2}`, ".metadata")
	f(`},"spec":{"b":1`+many.String()+`}`, ".")
	f(`}`, ".")
}

// The application that is deleted in many transactions is the same in all of them.
func testExpectedDeletion(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	old := s.tenant("app").UID
	s.deleteApplication("app")
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"app"}}`)
	if _, err := s.DeleteApplicationIf(t.Context(), "app", store.Expect{ApplicationUID: old}); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("deleting an application that is another one by now: %v, want not found", err)
	}
	s.device("app", "d")
}

func (s *suite) pendingChanges() []registry.Change {
	s.t.Helper()
	var changes []registry.Change
	for _, entry := range s.pending() {
		changes = append(changes, entry.Change)
	}
	return changes
}
