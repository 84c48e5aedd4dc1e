package auth

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/fairlead/fairlead/internal/registry"
)

// maxClosed is how many applications are known at a time whose sessions are judged again.
const maxClosed = 1024

// closedApplications know which applications admit nobody, since they are disabled or gone. When that happens all sessions
// of one are judged again, and the first refusal stands for all of them. Log-ins do not come here: those that are refused for
// different reasons must not differ in time.
type closedApplications struct {
	watches *watches
	mu      sync.Mutex
	known   *simplelru.LRU[string, *applicationState]
}

// An applicationState is what renewals have found out of an application. It is void when the application changes.
type applicationState struct {
	watch  *watch
	closed atomic.Pointer[entry] // the refusal of everybody; nil if there is none
}

func newClosedApplications(w *watches) *closedApplications {
	return &closedApplications{watches: w, known: newLRU[string, *applicationState](maxClosed)}
}

// of is the state of a renewal's application, which is watched from now on at the latest; nil for a request that does not
// depend on one application alone.
func (c *closedApplications) of(r Request) *applicationState {
	if !r.Renewal || registry.ValidateApplicationName(r.Application) != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	state, ok := c.known.Get(r.Application)
	if ok && !state.watch.isRevoked() {
		return state
	}
	if !ok && c.known.Len() == maxClosed {
		_, oldest, _ := c.known.RemoveOldest()
		c.watches.drop(oldest.watch)
	}
	state = &applicationState{watch: c.watches.open([]watchName{{presentedApplication, "", r.Application}})}
	c.known.Add(r.Application, state)
	return state
}

// refusal is what everybody is refused with, nil if that is not known.
func (s *applicationState) refusal(heard bool) error {
	if s == nil {
		return nil
	}
	e, now := s.closed.Load(), time.Now()
	if e == nil || s.watch.isRevoked() || !now.Before(e.fresh) || !(heard || now.Before(e.brief)) {
		return nil
	}
	return e.err
}

// note takes a decision that was sought since the state was looked up.
func (s *applicationState) note(d decision, ttl time.Duration) {
	if s == nil || !refusesApplication(d.err) {
		return
	}
	now := time.Now()
	s.closed.Store(&entry{decision: d, fresh: now.Add(ttl), brief: now.Add(unheardTTL)})
}

// refusesApplication tells whether a refusal is that of every device of the application.
func refusesApplication(err error) bool {
	why, ok := errors.AsType[reason](err)
	return ok && (why == errApplicationDisabled || why == errNoApplication)
}
