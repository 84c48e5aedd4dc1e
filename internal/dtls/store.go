package dtls

import (
	"container/list"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
)

// A store remembers sessions for their resumption with a short handshake (RFC 5246 section 7.3), a bounded number of them
// for a bounded time; the oldest gives way.
//
// A resumed session is its first client's: pion keeps the identity and a hash of the pre-shared key with it, asks for the
// key anew, and does the full handshake if it is not the same any more, or if there is none. Sessions of clients with a
// certificate are never stored.
type store struct {
	bound    int
	lifetime time.Duration

	mu    sync.Mutex
	order list.List // of *stored, the oldest first
	byID  map[string]*list.Element
}

// A stored session.
type stored struct {
	session dtls.Session
	expires time.Time
}

var _ dtls.SessionStore = (*store)(nil)

func newStore(c Config) *store {
	return &store{bound: c.Resumable, lifetime: c.ResumableFor, byID: map[string]*list.Element{}}
}

// Set remembers a session. A session that was resumed keeps the end that it has.
func (s *store) Set(key []byte, session dtls.Session) error {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.byID[string(key)]; ok {
		e.Value.(*stored).session = session //nolint:forcetypeassert // the list holds nothing else
		return nil
	}
	for oldest := s.order.Front(); oldest != nil; oldest = s.order.Front() {
		first := oldest.Value.(*stored) //nolint:forcetypeassert // see above
		if s.order.Len() < s.bound && now.Before(first.expires) {
			break
		}
		s.remove(oldest)
	}
	s.byID[string(key)] = s.order.PushBack(&stored{session, now.Add(s.lifetime)})
	return nil
}

// Get finds a session. One that is not there, or not any more, is the zero Session, with which pion does a full handshake.
func (s *store) Get(key []byte) (dtls.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byID[string(key)]
	if !ok {
		return dtls.Session{}, nil
	}
	found := e.Value.(*stored) //nolint:forcetypeassert // see Set
	if !time.Now().Before(found.expires) {
		s.remove(e)
		return dtls.Session{}, nil
	}
	return found.session, nil
}

// Del forgets a session.
func (s *store) Del(key []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.byID[string(key)]; ok {
		s.remove(e)
	}
	return nil
}

func (s *store) remove(e *list.Element) {
	s.order.Remove(e)
	delete(s.byID, string(e.Value.(*stored).session.ID)) //nolint:forcetypeassert // see Set
}
