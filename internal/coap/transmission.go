package coap

import (
	"errors"
	"math/rand/v2"
	"time"
)

// How the sending of a confirmable message can end, besides its acknowledgement.
var (
	ErrReset   = errors.New("the client has reset the message")
	ErrTimeout = errors.New("the client does not acknowledge")
	ErrClosed  = errors.New("the client is gone")
)

// A transmission is a confirmable message of ours on its way (RFC 7252 section 4.2). It is guarded by its peer's lock.
type transmission struct {
	peer     *Peer
	mid      uint16
	datagram []byte
	sent     int // times
	wait     time.Duration
	timer    *time.Timer
	done     func(error)
}

// transmit sends a confirmable message, again and again until it is acknowledged, and then calls done, if that is not nil,
// with nil or with one of the errors above.
func (p *Peer) transmit(build func(mid uint16) []byte, done func(error)) {
	t := &transmission{peer: p, done: done}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		t.finish(ErrClosed)
		return
	}
	if p.sending == nil {
		p.sending = map[uint16]*transmission{}
	}
	for p.mid++; p.sending[p.mid] != nil; p.mid++ {
	}
	t.mid = p.mid
	t.datagram = build(t.mid)
	t.wait = time.Duration(float64(ackTimeout) * (1 + rand.Float64()*(ackRandomFactor-1)))
	t.sent = 1
	t.timer = time.AfterFunc(t.wait, t.again)
	p.sending[t.mid] = t
	p.mu.Unlock()
	p.write(t.datagram)
}

// again sends the message once more, after twice the time, or gives up.
func (t *transmission) again() {
	p := t.peer
	p.mu.Lock()
	if p.sending[t.mid] != t {
		p.mu.Unlock()
		return
	}
	if t.sent > maxRetransmit {
		delete(p.sending, t.mid)
		p.mu.Unlock()
		p.endpoint.metrics.unacknowledged()
		t.finish(ErrTimeout)
		return
	}
	t.sent++
	t.wait *= 2
	t.timer.Reset(t.wait)
	p.mu.Unlock()
	p.endpoint.metrics.retransmit()
	p.write(t.datagram)
}

// settle ends the transmission of a message that the client has acknowledged or reset. Either shows that the client is where
// its datagrams come from: nobody else knows the message ID.
func (p *Peer) settle(mid uint16, reset bool) {
	p.mu.Lock()
	t, ok := p.sending[mid]
	if ok {
		delete(p.sending, mid)
		p.proven = true
	}
	p.mu.Unlock()
	switch {
	case !ok:
		p.endpoint.metrics.drop(dropStray)
	case reset:
		t.finish(ErrReset)
	default:
		t.finish(nil)
	}
}

func (t *transmission) finish(err error) {
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.done != nil {
		t.done(err)
	}
}
