package dtls

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/pion/dtls/v3"
)

// A store remembers sessions for their resumption with a short handshake (RFC 5246 section 7.3), a bounded number of them
// for a bounded time; the oldest gives way.
//
// A resumed session is its first client's: pion keeps the identity and a hash of the pre-shared key with it, asks for the
// key anew, and does the full handshake if it is not the same any more, or if there is none. Sessions of clients with a
// certificate are never stored.
type store struct {
	lifetime time.Duration

	mu       sync.Mutex
	sessions *simplelru.LRU[string, *stored] // by ID; no use changes the order, so that the oldest expires first
}

// A stored session.
type stored struct {
	session dtls.Session
	expires time.Time
}

var _ dtls.SessionStore = (*store)(nil)

func newStore(c Config) *store {
	sessions, _ := simplelru.NewLRU[string, *stored](max(c.Resumable, 1), nil) // the only error is that of a limit below 1
	return &store{lifetime: c.ResumableFor, sessions: sessions}
}

// Set remembers a session. A session that was resumed keeps the end that it has.
func (s *store) Set(key []byte, session dtls.Session) error {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.sessions.Peek(string(key)); ok {
		found.session = session
		return nil
	}
	for _, oldest, ok := s.sessions.GetOldest(); ok && !now.Before(oldest.expires); _, oldest, ok = s.sessions.GetOldest() {
		s.sessions.RemoveOldest()
	}
	s.sessions.Add(string(key), &stored{session, now.Add(s.lifetime)})
	return nil
}

// Get finds a session. One that is not there, or not any more, is the zero Session, with which pion does a full handshake.
func (s *store) Get(key []byte) (dtls.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.sessions.Peek(string(key))
	if !ok {
		return dtls.Session{}, nil
	}
	if !time.Now().Before(found.expires) {
		s.sessions.Remove(string(key))
		return dtls.Session{}, nil
	}
	return found.session, nil
}

// Del forgets a session.
func (s *store) Del(key []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.Remove(string(key))
	return nil
}
