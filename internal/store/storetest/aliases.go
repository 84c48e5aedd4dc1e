package storetest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

func testAliases(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyApplication(`{"metadata":{"name":"other"}}`)
	s.forget()
	got := s.applyDevice(`{"metadata":{"name":"d","application":"app"},"spec":{"alias":["a1","a2","d"],
		"authentication":{"credentials":[{"user":{"username":"u1","password":"x","unique":true}},{"user":{"username":"u2","password":"x"}}]}}}`)
	s.want(got, deviceChange("app", "d", 1, "a1", "a2", "d", "u1"))
	for _, alias := range []string{"d", "a1", "a2", "u1"} {
		if found := s.device("app", alias); found.Metadata.Name != "d" {
			t.Errorf("alias %q finds %q", alias, found.Metadata.Name)
		}
		s.noDevice("other", alias)
	}
	s.noDevice("app", "u2")
	s.noDevice("app", "A1")
	s.noApplication("a1")

	got = s.applyDevice(`{"metadata":{"name":"d","application":"app"},"spec":{"alias":["a2","a3"]}}`)
	s.want(got, at(deviceChange("app", "d", 2, "a1", "a2", "a3", "d", "u1"), ".spec.alias", ".spec.authentication"))
	s.noDevice("app", "a1")
	s.noDevice("app", "u1")
	s.device("app", "a3")

	// The same names in another application are other devices, and a free alias can be taken.
	s.applyDevice(`{"metadata":{"name":"d","application":"other"},"spec":{"alias":["a2"]}}`)
	s.applyDevice(`{"metadata":{"name":"a1","application":"app"}}`)
	if found := s.device("other", "a2"); found.Metadata.Application != "other" {
		t.Errorf("alias of the other application finds a device of %q", found.Metadata.Application)
	}
}

func testTrustAnchors(t *testing.T, s *suite) {
	const subject = "O=Drogue IoT, OU=Cloud, CN=Application 1"
	got := s.applyApplication(`{"metadata":{"name":"app"},"status":{"trustAnchors":{"anchors":[
		{"valid":{"subject":"` + subject + `","certificate":"AA==","notBefore":"2020-01-01T00:00:00Z","notAfter":"2030-01-01T00:00:00Z"}},
		{"invalid":{"error":"e","message":"m"}}]}}}`)
	s.want(got, applicationChange("app", 1, subject, "app"))
	anchored := func(want ...string) {
		t.Helper()
		names, err := s.Anchored(t.Context(), subject)
		if diff := cmp.Diff(want, names); err != nil || diff != "" {
			t.Errorf("anchored: %v (-want +got):\n%s", err, diff)
		}
	}
	anchored("app")
	s.noApplication(subject) // which is no name

	// Another application may trust a key of the same subject, and the older one stays the first.
	s.want(s.applyApplication(`{"metadata":{"name":"aaa"},"status":{"trustAnchors":{"anchors":[
		{"valid":{"subject":"`+subject+`","certificate":"AA==","notBefore":"2020-01-01T00:00:00Z","notAfter":"2030-01-01T00:00:00Z"}}]}}}`), applicationChange("aaa", 1, subject, "aaa"))
	anchored("app", "aaa")
	s.applyApplication(`{"metadata":{"name":"aaa"}}`)
	anchored("app")
	s.forget()
	f := func(subject string, want error) {
		t.Helper()
		_, err := s.ApplyApplication(t.Context(), application(t, `{"metadata":{"name":"app2"},"status":{"trustAnchors":{"anchors":[{"valid":{"subject":"`+
			subject+`","certificate":"AA==","notBefore":"2020-01-01T00:00:00Z","notAfter":"2030-01-01T00:00:00Z"}}]}}}`))
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "status.trustAnchors") {
			t.Errorf("subject %.20q: %v, want %v at status.trustAnchors", subject, err, want)
		}
	}
	f("victim", store.ErrInvalid) // a name that another application may want
	f("", store.ErrInvalid)
	f("CN="+strings.Repeat("x", registry.MaxAlias), store.ErrInvalid)
	s.want(nil)

	s.want(s.applyApplication(`{"metadata":{"name":"app"}}`), at(applicationChange("app", 2, subject, "app"), ".status.trustAnchors"))
	anchored()
}

func testConflicts(t *testing.T, s *suite) {
	s.applyApplication(`{"metadata":{"name":"app"}}`)
	s.applyDevice(`{"metadata":{"name":"d1","application":"app"},"spec":{"alias":["a"],"credentials":{"credentials":[{"user":{"username":"u","password":"x","unique":true}}]}}}`)
	s.forget()
	f := func(document, field string) {
		t.Helper()
		_, err := s.ApplyDevice(t.Context(), device(t, document))
		if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "d1") {
			t.Errorf("%s: %v, want ErrConflict at %s", document, err, field)
		}
		s.want(nil)
	}
	f(`{"metadata":{"name":"a","application":"app"}}`, "metadata.name")
	f(`{"metadata":{"name":"u","application":"app"}}`, "metadata.name")
	f(`{"metadata":{"name":"d2","application":"app"},"spec":{"alias":["d1"]}}`, "spec.alias")
	f(`{"metadata":{"name":"d2","application":"app"},"spec":{"alias":["new","u"]}}`, "spec.alias")
	f(`{"metadata":{"name":"d2","application":"app"},"spec":{"authentication":{"credentials":[{"user":{"username":"a","password":"x","unique":true}}]}}}`, "username")
	s.noDevice("app", "d2")
	s.noDevice("app", "new")
}
