package auth

import (
	"runtime"
	"sync"
	"weak"

	"github.com/fairlead/fairlead/internal/registry"
)

// applications has the sessions of one application share its document. Each comes with a copy of its own from the layer
// below, and a gateway keeps tens of thousands of sessions. A document that no session uses any more goes away by itself.
type applications struct {
	mu    sync.Mutex
	known map[version]weak.Pointer[registry.Application]
}

// A version is one state of a document. The registry gives each that it stores another resource version.
type version struct {
	name, uid, resource string
	revision            uint64
}

func newApplications() *applications {
	return &applications{known: map[version]weak.Pointer[registry.Application]{}}
}

// share returns the document that others have of the same version, or keeps this one for them.
func (a *applications) share(document *registry.Application) *registry.Application {
	m := &document.Metadata
	if m.ResourceVersion == "" {
		return document
	}
	v := version{m.Name, m.UID, m.ResourceVersion, m.Revision}
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.known[v].Value(); known != nil {
		return known
	}
	a.known[v] = weak.Make(document)
	runtime.AddCleanup(document, a.forget, v)
	return document
}

func (a *applications) forget(v version) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known[v].Value() == nil {
		delete(a.known, v)
	}
}
