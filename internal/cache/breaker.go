package cache

import (
	"sync"
	"time"
)

const (
	breakerFailures = 3           // in a row
	breakerPause    = time.Second // until the next attempt
)

// A breaker keeps requests from waiting, one after the other, for a neighbour that does not answer: after three
// failures in a row one request a second tries, and the others go on without it.
type breaker struct {
	mu       sync.Mutex
	failures int
	next     time.Time // when somebody may try again
}

// allow tells whether to try.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < breakerFailures {
		return true
	}
	now := time.Now()
	if now.Before(b.next) {
		return false
	}
	b.next = now.Add(breakerPause)
	return true
}

// report tells how the attempt ended.
func (b *breaker) report(ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failures = 0
		return
	}
	b.failures++
	b.next = time.Now().Add(breakerPause)
}
