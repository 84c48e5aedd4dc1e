package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

func testRoundTrip(t *testing.T, s *suite) {
	const full = `{"metadata":{"name":"app-1.example","labels":{"a.b/c":"d","ü":"größer"},"annotations":{"k":"<&>","ü":"\u0000"},"finalizers":["x","y"]},
		"spec":{"core":{"disabled":true},"unknown":{"n":12345678901234567890.0001,"z":null,"a":"<b>& \u0000 \ud83d\ude00"}},
		"status":{"conditions":[{"type":"Ready"}]}}`
	before := time.Now().Add(-time.Second)
	s.applyApplication(full)
	got := s.application("app-1.example")

	m := got.Metadata
	if m.UID == "" || m.ResourceVersion == "" || m.Generation != 1 || m.Revision != 1 || m.Deleting() {
		t.Errorf("metadata of a new document: %+v", m)
	}
	if m.CreationTimestamp.Before(before) || m.CreationTimestamp.After(time.Now()) || m.CreationTimestamp.Location() != time.UTC {
		t.Errorf("creation timestamp %v", m.CreationTimestamp)
	}
	want := application(t, full)
	want.Metadata.UID, want.Metadata.ResourceVersion, want.Metadata.CreationTimestamp = m.UID, m.ResourceVersion, m.CreationTimestamp
	want.Metadata.Generation, want.Metadata.Revision = 1, 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("application (-want +got):\n%s", diff)
	}
	again, err := registry.DecodeApplication([]byte(encoded(t, got)))
	if err != nil {
		t.Fatal(err)
	}
	again.Metadata.Revision = 1
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("application through JSON (-want +got):\n%s", diff)
	}

	for _, name := range []string{"d", "with space/and slash", "ünïcode 😀", "%2F:{}*'\"\\;--", strings.Repeat("x", registry.MaxDeviceName)} {
		d := &registry.Device{Metadata: registry.Metadata{Name: name, Application: "app-1.example"}}
		if _, err := s.ApplyDevice(t.Context(), d); err != nil {
			t.Fatalf("device %q: %v", name, err)
		}
		if found := s.device("app-1.example", name); found.Metadata.Name != name || found.Metadata.Application != "app-1.example" {
			t.Errorf("device %q came back as %+v", name, found.Metadata)
		}
	}
}

func testVersions(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.forget()
	last := registry.Metadata{}
	f := func(what, document string, changed bool, generation uint64) {
		t.Helper()
		changes := s.applyDevice(document)
		now := s.device("app", "d").Metadata
		if changed != (len(changes) == 1) || changed != (now.Revision == last.Revision+1) || changed != (now.ResourceVersion != last.ResourceVersion) {
			t.Errorf("%s: changed %t, changes %v, revision %d after %d", what, changed, changes, now.Revision, last.Revision)
		}
		if now.Generation != generation {
			t.Errorf("%s: generation %d, want %d", what, now.Generation, generation)
		}
		if last.UID != "" && (now.UID != last.UID || !now.CreationTimestamp.Equal(last.CreationTimestamp)) {
			t.Errorf("%s: uid or creation timestamp changed", what)
		}
		last = now
	}
	f("create", `{"metadata":{"name":"d","application":"app"},"spec":{"x":{"a":1,"b":[1.0]}}}`, true, 1)
	f("same", `{"metadata":{"name":"d","application":"app"},"spec":{"x":{"a":1,"b":[1.0]}}}`, false, 1)
	f("same in other words", `{"spec":{"x":{"b":[ 1.0 ], "a":1}},"metadata":{"application":"app","name":"d","labels":{}},"status":{}}`, false, 1)
	f("server's fields are ignored", `{"metadata":{"name":"d","application":"app","uid":"u","generation":7,"resourceVersion":"v","creationTimestamp":"2001-01-01T00:00:00Z","deletionTimestamp":"2001-01-01T00:00:00Z"},"spec":{"x":{"a":1,"b":[1.0]}}}`, false, 1)
	f("label", `{"metadata":{"name":"d","application":"app","labels":{"l":"1"}},"spec":{"x":{"a":1,"b":[1.0]}}}`, true, 1)
	f("status", `{"metadata":{"name":"d","application":"app","labels":{"l":"1"}},"spec":{"x":{"a":1,"b":[1.0]}},"status":{"s":1}}`, true, 1)
	f("spec", `{"metadata":{"name":"d","application":"app","labels":{"l":"1"}},"spec":{"x":{"a":2,"b":[1.0]}},"status":{"s":1}}`, true, 2)
	f("everything goes", `{"metadata":{"name":"d","application":"app"}}`, true, 3)
}

func testInvalid(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.forget()
	f := func(spec registry.Sections, path string) {
		t.Helper()
		_, err := s.ApplyDevice(t.Context(), &registry.Device{Metadata: registry.Metadata{Name: "d", Application: "app"}, Spec: spec})
		if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.60q: %v, want ErrInvalid at %s", spec, err, path)
		}
	}
	f(registry.Sections{"core": []byte(`[]`)}, "spec.core")
	f(registry.Sections{"alias": []byte(`[""]`)}, "spec.alias")
	f(registry.Sections{"x": []byte(`{`)}, "spec")
	f(registry.Sections{"x": []byte("\"\xff\"")}, "spec")
	f(registry.Sections{"x": []byte(`"` + strings.Repeat("x", registry.MaxDocument) + `"`)}, "spec")
	if _, err := s.ApplyApplication(t.Context(), &registry.Application{Metadata: registry.Metadata{Name: "Upper"}}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("application with a bad name: %v, want ErrInvalid", err)
	}
	s.want(nil)
	s.noDevice("app", "d")
}

func testImpossibleNames(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	for _, name := range []string{"", "\x00", "a\x00b", "\xff\xfe", strings.Repeat("x", 1<<20), "no-such"} {
		s.noApplication(name)
		s.noDevice("app", name)
		s.noDevice(name, "d")
		if _, err := s.DeleteApplication(t.Context(), name); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("DeleteApplication(%.20q): %v, want not found", name, err)
		}
		if _, err := s.DeleteDevice(t.Context(), "app", name); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("DeleteDevice(%.20q): %v, want not found", name, err)
		}
	}
}

func testReference(t *testing.T, s *suite) {
	_, err := s.ApplyDevice(t.Context(), device(t, `{"metadata":{"name":"d","application":"app"}}`))
	if !errors.Is(err, store.ErrReference) || !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("without an application: %v, want ErrReference", err)
	}
	s.applyApplication(`{"metadata":{"name":"app","finalizers":["f"]}}`)
	s.applyDevice(`{"metadata":{"name":"d","application":"app","finalizers":["f"]}}`)
	if _, err := s.DeleteApplication(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	_, err = s.ApplyDevice(t.Context(), device(t, `{"metadata":{"name":"d2","application":"app"}}`))
	if !errors.Is(err, store.ErrReference) {
		t.Errorf("in an application that is being deleted: %v, want ErrReference", err)
	}
	// What is there may still be changed.
	s.applyDevice(`{"metadata":{"name":"d","application":"app","finalizers":["f"],"labels":{"a":"b"}}}`)
}

func testSecrets(t *testing.T, s *suite) {
	const secret = "hey-rodney"
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"taken","application":"app"},"spec":{"authentication":{"credentials":[{"pass":"hey-rodney"},{"user":{"username":"u","password":"hey-rodney","unique":true}}]}}}`)
	f := func(document string) {
		t.Helper()
		var d registry.Device
		d.Metadata = registry.Metadata{Name: "d", Application: "app"}
		d.Spec = registry.Sections{"authentication": []byte(document), "x": []byte(`"` + secret + `"`)}
		_, err := s.ApplyDevice(t.Context(), &d)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error = %v, want one without the secret", err)
		}
	}
	f(`{"credentials":[{"user":{"username":"u","password":"hey-rodney","unique":true}}]}`)
	f(`{"credentials":[{"user":{"username":"taken","password":{"plain":"hey-rodney"},"unique":true}}]}`)
	f(`{"credentials":[{"pass":{"hey-rodney":"hey-rodney"}}]}`)
	f(`{"credentials":"hey-rodney"}`)
	f(`{"credentials":[{"pass":"hey-rodney"}]}hey-rodney`)
}
