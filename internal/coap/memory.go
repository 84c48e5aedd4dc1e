package coap

import (
	"time"
)

// A memory holds the exchanges of one peer, so that a request that comes again is not served again. What has an answer is
// kept for as long as a copy of the request may still be on its way (EXCHANGE_LIFETIME, RFC 7252 section 4.8.2), within
// bounds. It is guarded by the peer's lock.
type memory struct {
	byMID map[uint16]*exchange
	order []*exchange // by arrival; forgotten ones at its beginning have been cut off
}

// find looks for the exchange of a message ID.
func (m *memory) find(mid uint16) (x *exchange, ok bool) {
	x, ok = m.byMID[mid]
	return x, ok
}

// add remembers a new exchange. One with the same message ID must have been forgotten before.
func (m *memory) add(x *exchange) {
	if m.byMID == nil {
		m.byMID = map[uint16]*exchange{}
	}
	m.byMID[x.mid] = x
	m.order = append(m.order, x)
}

// forgetOldest forgets the answered exchange that has been there for longest, and tells whether there was one.
func (m *memory) forgetOldest() bool {
	for i, x := range m.order {
		if x.state == answered {
			m.remove(i)
			return true
		}
	}
	return false
}

// expire forgets what arrived before a moment, and tells how much that was. What has no answer yet can still be answered.
func (m *memory) expire(before time.Time) (count int) {
	for len(m.order) > 0 && m.order[0].arrived.Before(before) {
		m.remove(0)
		count++
	}
	return count
}

// forget forgets one exchange.
func (m *memory) forget(x *exchange) {
	for i, other := range m.order {
		if other == x {
			m.remove(i)
			return
		}
	}
}

func (m *memory) remove(i int) {
	x := m.order[i]
	if m.byMID[x.mid] == x {
		delete(m.byMID, x.mid)
	}
	if i == 0 {
		m.order[0] = nil
		m.order = m.order[1:]
	} else {
		m.order = append(m.order[:i], m.order[i+1:]...)
	}
	if len(m.order) == 0 {
		m.order, m.byMID = nil, nil // neither gets smaller by itself
	}
}

// len is the number of exchanges.
func (m *memory) len() int { return len(m.order) }
