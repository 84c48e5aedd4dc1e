package auth

import (
	"runtime"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

func TestSharedApplications(t *testing.T) {
	a := newApplications()
	document := func(name, uid, resourceVersion string, revision uint64) *registry.Application {
		return &registry.Application{Metadata: registry.Metadata{Name: name, UID: uid, ResourceVersion: resourceVersion, Revision: revision}}
	}
	first := a.share(document("a", "u", "v", 1))
	f := func(d *registry.Application, want bool) {
		t.Helper()
		if got := a.share(d) == first; got != want {
			t.Errorf("%+v shared: %v", d.Metadata, got)
		}
	}
	f(document("a", "u", "v", 1), true)
	f(document("a", "u", "w", 2), false)
	f(document("a", "u2", "v", 1), false)
	f(document("b", "u", "v", 1), false)
	f(document("a", "u", "", 1), false)
	first = a.share(document("a", "u", "", 1))
	f(document("a", "u", "", 1), false) // without a version nobody knows whether they are equal
	runtime.KeepAlive(first)
}

func TestSharedApplicationsAreForgotten(t *testing.T) {
	a := newApplications()
	kept := a.share(&registry.Application{Metadata: registry.Metadata{Name: "kept", ResourceVersion: "v"}})
	a.share(&registry.Application{Metadata: registry.Metadata{Name: "gone", ResourceVersion: "v"}})
	deadline := time.After(time.Minute)
	for a.len() > 1 {
		runtime.GC()
		select {
		case <-deadline:
			t.Fatalf("%d documents are remembered", a.len())
		case <-time.After(time.Millisecond):
		}
	}
	if a.share(&registry.Application{Metadata: kept.Metadata}) != kept {
		t.Error("the one in use was forgotten")
	}
	runtime.KeepAlive(kept)
}

func TestSessionsShareTheirApplication(t *testing.T) {
	versioned := application(t, "app1", "")
	versioned.Metadata.ResourceVersion = "v"
	d := newDocuments(append(acceptance(t), versioned)...)
	c := NewCache(DefaultCacheConfig(), NewService(DefaultServiceConfig(), d, nil))
	var sessions []*Session
	for _, device := range []string{"plain", "device1"} {
		s, err := c.Authenticate(t.Context(), login(device, "foo"))
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	if sessions[0].Application != sessions[1].Application {
		t.Error("two copies of one document")
	}
}

// len is the number of documents in use.
func (a *applications) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.known)
}
