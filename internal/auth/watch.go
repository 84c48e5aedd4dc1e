package auth

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"weak"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/fairlead/fairlead/internal/registry"
)

// A watch is revoked when a document changes that a decision rests on. Whoever uses the decision holds the watch; the
// index of all watches does not, so that one that nobody uses any more goes away by itself.
type watch struct {
	revoked  chan struct{}
	register *registration

	mu      sync.Mutex
	waiting []*onRevoked // nil once revoked
}

// An onRevoked is a function to call at the revocation.
type onRevoked struct{ call func() }

// A registration is where a watch stands in the index.
type registration struct {
	watch weak.Pointer[watch]
	mu    sync.Mutex
	names []watchName
}

// A watchName is something in the registry that may change. Presented names are what a sender says; they matter while
// a decision is sought and for refusals, since nothing else is known then. An admission rests on registry names alone,
// so that a change in one application never touches the sessions of another.
type watchName struct {
	kind        watchKind
	application string // registry name; "" for presented names
	name        string
}

type watchKind byte

const (
	presentedApplication watchKind = iota
	presentedDevice                // of any application: the application's own name may not be known
	registeredApplication
	registeredDevice
)

// revoke takes the decision back, once. What waits for it is called without a lock.
func (w *watch) revoke() {
	w.mu.Lock()
	if w.isRevoked() {
		w.mu.Unlock()
		return
	}
	close(w.revoked)
	waiting := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	for _, f := range waiting {
		f.call()
	}
}

// onRevoke has a function called at the revocation, at once if that has been. stop tells whether it came before the call.
func (w *watch) onRevoke(call func()) (stop func() bool) {
	f := &onRevoked{call}
	w.mu.Lock()
	revoked := w.isRevoked()
	if !revoked {
		w.waiting = append(w.waiting, f)
	}
	w.mu.Unlock()
	if revoked {
		call()
	}
	return func() bool { return w.forget(f) }
}

func (w *watch) forget(f *onRevoked) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.waiting, f)
	if i < 0 {
		return false
	}
	w.waiting = slices.Delete(w.waiting, i, i+1)
	return true
}

func (w *watch) isRevoked() bool {
	select {
	case <-w.revoked:
		return true
	default:
		return false
	}
}

// maxChanges is how many changed documents are remembered, for comparison with decisions of another process that has not
// heard of the change yet. It hears within moments, so that a few thousand are plenty.
const maxChanges = 4096

// watches is the index of all watches by name.
type watches struct {
	mu     sync.Mutex
	byName map[watchName]members
	// revisions of documents that changed lately, by uid.
	revisions *simplelru.LRU[string, uint64]
}

func newWatches() *watches {
	return &watches{byName: map[watchName]members{}, revisions: newLRU[string, uint64](maxChanges)}
}

// outdated tells whether a decision rests on a document that is known to have changed since.
func (w *watches) outdated(d decision) bool {
	var documents []*registry.Metadata
	if d.session != nil {
		documents = append(documents, &d.session.Application.Metadata, &d.session.Device.Metadata)
		if d.session.As != nil {
			documents = append(documents, &d.session.As.Metadata)
		}
	}
	if d.device != nil {
		documents = append(documents, &d.device.Metadata)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(documents, func(m *registry.Metadata) bool {
		changed, ok := w.revisions.Get(m.UID)
		return ok && m.Revision != 0 && m.Revision < changed
	})
}

// note remembers the revision of a changed document. Changes may arrive out of order.
func (w *watches) note(c registry.Change) {
	revision := c.Revision
	if c.Deleted {
		revision = math.MaxUint64
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.revisions.Get(c.UID); !ok || known < revision {
		w.revisions.Add(c.UID, revision)
	}
}

// open makes a watch for what is about to be looked up. From now on no change to it is missed.
func (w *watches) open(names []watchName) *watch {
	opened := &watch{revoked: make(chan struct{}), register: &registration{}}
	opened.register.watch = weak.Make(opened)
	runtime.AddCleanup(opened, w.unlist, opened.register)
	w.list(opened.register, names)
	return opened
}

// settle moves a watch from the names under which something was sought to those under which it was found.
func (w *watches) settle(settled *watch, names []watchName) {
	r := settled.register
	r.mu.Lock()
	sought := r.names
	r.mu.Unlock()
	w.list(r, names)
	w.remove(r, slices.DeleteFunc(slices.Clone(sought), func(n watchName) bool { return slices.Contains(names, n) }))
}

// drop takes a watch out of the index that nobody uses.
func (w *watches) drop(dropped *watch) { w.unlist(dropped.register) }

func (w *watches) list(r *registration, names []watchName) {
	r.mu.Lock()
	r.names = names
	r.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.byName[name] = w.byName[name].with(r)
	}
}

func (w *watches) unlist(r *registration) {
	r.mu.Lock()
	names := r.names
	r.mu.Unlock()
	w.remove(r, names)
}

func (w *watches) remove(r *registration, names []watchName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		if left := w.byName[name].without(r); left.none() {
			delete(w.byName, name)
		} else {
			w.byName[name] = left
		}
	}
}

// change revokes every watch that a change touches, and tells how many there were. The index is locked only while the
// watches are taken out of it by name, not while they are revoked.
func (w *watches) change(c registry.Change) int {
	w.note(c)
	names := make([]watchName, 0, len(c.Aliases)+2)
	presented, own := presentedApplication, watchName{registeredApplication, c.Application, ""}
	if c.Kind == registry.DeviceChanged {
		presented, own = presentedDevice, watchName{registeredDevice, c.Application, c.Device}
		names = append(names, watchName{presented, "", c.Device})
	} else {
		names = append(names, watchName{presented, "", c.Application})
	}
	names = append(names, own)
	for _, alias := range c.Aliases {
		names = append(names, watchName{presented, "", alias})
	}
	return w.revokeAll(names)
}

func (w *watches) revokeAll(names []watchName) (revoked int) {
	var sets []members
	w.mu.Lock()
	for _, name := range names {
		if set, ok := w.byName[name]; ok {
			sets = append(sets, set)
			delete(w.byName, name)
		}
	}
	w.mu.Unlock()
	for _, set := range sets {
		revoked += w.revokeSet(set)
	}
	return revoked
}

// all revokes every watch.
func (w *watches) all() (revoked int) {
	w.mu.Lock()
	index := w.byName
	w.byName = map[watchName]members{}
	w.mu.Unlock()
	for _, set := range index {
		revoked += w.revokeSet(set)
	}
	return revoked
}

func (w *watches) revokeSet(set members) (revoked int) {
	for r := range set.all {
		if held := r.watch.Value(); held != nil && !held.isRevoked() {
			held.revoke()
			revoked++
		}
		w.unlist(r)
	}
	return revoked
}
