package coap

import (
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
)

// A state is how far an exchange has come.
type state byte

const (
	open         state = iota // no answer yet
	acknowledged              // confirmable, acknowledged, to be answered separately
	answered
)

// An exchange is a request and what became of it. It is guarded by its peer's lock, except for what never changes.
type exchange struct {
	peer    *Peer
	arrived time.Time
	content uint64 // hash of the request's datagram
	size    int    // of the request's datagram
	kind    message.Type
	mid     uint16
	state   state
	answer  []byte // what is sent when the request comes again; nil: nothing
	pending *pending
}

// pending is what an exchange needs until it is answered.
type pending struct {
	token   message.Token
	ack     *time.Timer
	size    blockwise.SZX // largest block that the client wants
	block1  block         // of the request
	key     key           // of the transfer that the response may become
	quiet   uint32        // value of the option No-Response (RFC 7967)
	observe *Observation  // that the response is the first notification of
}

// acknowledge tells the client that its request has arrived and takes longer.
func (x *exchange) acknowledge() {
	p := x.peer
	p.mu.Lock()
	if x.state != open || x.kind != message.Confirmable || p.closed {
		p.mu.Unlock()
		return
	}
	answer := empty(message.Acknowledgement, x.mid)
	x.state, x.answer = acknowledged, answer
	p.mu.Unlock()
	p.endpoint.metrics.separate()
	p.write(answer)
}

// reply answers the request. Only the first call counts.
func (x *exchange) reply(r Response) {
	p := x.peer
	p.mu.Lock()
	if x.state == answered || p.closed {
		p.mu.Unlock()
		return
	}
	want := x.pending
	want.ack.Stop()
	separate := x.state == acknowledged
	x.state, x.pending = answered, nil
	p.unanswered--
	p.mu.Unlock()
	p.endpoint.leave()
	p.endpoint.metrics.answer(r.Code)

	if want.silences(r.Code) {
		x.keepQuiet(separate)
		return
	}
	r = want.complete(p, r, p.room(separate, amplification*x.size))
	switch {
	case separate:
		p.transmit(func(mid uint16) []byte { return encode(head{message.Confirmable, mid, want.token}, r) }, want.observe.first())
	case x.kind == message.Confirmable:
		x.remember(encode(head{message.Acknowledgement, x.mid, want.token}, r))
	default:
		x.remember(encode(head{message.NonConfirmable, p.nextMID(), want.token}, r))
	}
}

// remember keeps the answer for when the request comes again, and sends it.
func (x *exchange) remember(datagram []byte) {
	x.peer.mu.Lock()
	x.answer = datagram
	x.peer.mu.Unlock()
	x.peer.write(datagram)
}

// keepQuiet answers a client that does not want the response: a confirmable request is acknowledged.
func (x *exchange) keepQuiet(acknowledged bool) {
	if x.kind == message.Confirmable && !acknowledged {
		x.remember(empty(message.Acknowledgement, x.mid))
	}
}

// silences tells whether the client does not want responses of that class (RFC 7967 section 2.1).
func (w *pending) silences(code codes.Code) bool {
	class := uint32(code) >> 5
	return class > 0 && w.quiet&(1<<(class-1)) != 0
}

// complete adds to a response what the message layer has to say: which block of the request it answers, that it is a
// notification, and its own blocks.
func (w *pending) complete(p *Peer, r Response, room int) Response {
	if w.observe != nil {
		r = r.with(w.observe.option())
	}
	if w.block1.given && !w.block1.more {
		r = r.with(uintOption(message.Block1, w.block1.encode()))
	}
	return p.split(r, w.size, w.key, room)
}
