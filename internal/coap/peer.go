package coap

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
)

// A Peer is one client. All its methods may be called from any goroutine, Receive from one at a time.
type Peer struct {
	// Client is whatever the handler knows of the client beyond its requests. It is set when the Peer is made.
	Client any

	endpoint *Endpoint
	remote   func() netip.AddrPort
	send     func([]byte) error
	admitted func() // has the client give way last
	ctx      context.Context
	cancel   context.CancelFunc

	mu           sync.Mutex
	closed       bool
	working      bool
	proven       bool // the client is where its datagrams come from
	credit       int  // bytes that it may be sent if it is not proven
	mid          uint16
	unanswered   int // exchanges
	queue        []*Request
	memory       memory
	sending      map[uint16]*transmission
	uploads      map[key]*upload
	downloads    map[key]*download
	observations map[string]*Observation
}

// A Transport is how a client is reached.
type Transport struct {
	Remote   func() netip.AddrPort
	Send     func([]byte) error // must not keep the bytes
	Admitted func()             // called when the handler admits the client; may be nil
	Proven   bool               // the client is known to be where its datagrams come from
}

// Peer makes the peer of a client. It is to be closed.
func (e *Endpoint) Peer(t Transport, known any) *Peer {
	p := &Peer{
		Client: known, endpoint: e, remote: t.Remote, send: t.Send, admitted: t.Admitted, proven: t.Proven,
		mid: uint16(rand.Uint32()),
	}
	p.ctx, p.cancel = context.WithCancel(e.ctx)
	e.register(p)
	return p
}

// Remote is where the client is now.
func (p *Peer) Remote() netip.AddrPort { return p.remote() }

// Done is closed when the peer is.
func (p *Peer) Done() <-chan struct{} { return p.ctx.Done() }

// Admit marks the client as one whose log-in was right.
func (p *Peer) Admit() {
	if p.admitted != nil {
		p.admitted()
	}
}

// Close forgets the client. What it has asked for is not answered any more.
func (p *Peer) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	unanswered, remembered := p.unanswered, p.memory.len()
	for _, x := range p.memory.order {
		if x.pending != nil {
			x.pending.ack.Stop()
		}
	}
	sending, observations := p.sending, p.observations
	p.memory, p.queue, p.sending, p.observations = memory{}, nil, nil, nil
	p.dropTransfers(func(time.Time) bool { return true })
	p.mu.Unlock()
	p.cancel()
	for range unanswered {
		p.endpoint.leave()
	}
	p.endpoint.remembered.Add(-int64(remembered))
	for _, t := range sending {
		t.finish(ErrClosed)
	}
	for _, o := range observations {
		o.finish()
	}
	p.endpoint.unregister(p)
}

// Receive takes a datagram of the client's. It copies what it needs and does not wait.
func (p *Peer) Receive(b []byte) {
	p.earn(len(b))
	if len(b) < headerSize || b[0]>>6 != 1 { // nothing that can be answered (section 3)
		p.endpoint.metrics.drop(dropMalformed)
		return
	}
	kind, code, mid := message.Type(b[0]>>4&3), codes.Code(b[1]), binary.BigEndian.Uint16(b[2:])
	switch {
	case b[0]&0xf > maxToken:
		p.malformed(kind, mid)
	case kind == message.Acknowledgement && code != codes.Empty && code <= lastMethod:
		// No acknowledgement may hold a request, but go-coap's client asks like this for the next block of a notification.
		p.settle(mid, false)
		p.serve(message.NonConfirmable, mid, b)
	case kind == message.Acknowledgement || kind == message.Reset:
		p.settle(mid, kind == message.Reset)
	case code == codes.Empty:
		p.ping(kind, mid, len(b) == 4)
	case code > lastMethod: // a response, to nothing that we asked
		p.reject(kind, mid)
	default:
		p.serve(kind, mid, b)
	}
}

// serve has a request served, unless it has been there before.
func (p *Peer) serve(kind message.Type, mid uint16, b []byte) {
	content := maphash.Bytes(p.endpoint.seed, b)
	if !p.again(mid, content) {
		p.request(&exchange{peer: p, content: content, size: len(b), kind: kind, mid: mid}, b)
	}
}

// ping answers an Empty message: a confirmable one is reset (section 4.3).
func (p *Peer) ping(kind message.Type, mid uint16, whole bool) {
	if !whole {
		p.malformed(kind, mid)
		return
	}
	p.reject(kind, mid)
}

// malformed rejects a message with a format error: a confirmable one is reset, every other ignored (sections 4.2 and 4.3).
func (p *Peer) malformed(kind message.Type, mid uint16) {
	p.endpoint.metrics.drop(dropMalformed)
	p.reject(kind, mid)
}

func (p *Peer) reject(kind message.Type, mid uint16) {
	if kind == message.Confirmable {
		p.write(empty(message.Reset, mid))
	}
}

// again answers a request that has been there before, and tells whether it has. A client sends it again as it was; other
// content under the same message ID is a client that has begun anew, and a new request.
func (p *Peer) again(mid uint16, content uint64) bool {
	p.mu.Lock()
	p.endpoint.remembered.Add(-int64(p.memory.expire(time.Now().Add(-exchangeLifetime))))
	x, known := p.memory.find(mid)
	if !known || x.content != content {
		p.mu.Unlock()
		return false
	}
	answer := x.answer
	p.mu.Unlock()
	p.endpoint.metrics.duplicate()
	if answer != nil {
		p.write(answer)
	}
	return true
}

// request begins an exchange and has the worker serve it.
func (p *Peer) request(x *exchange, b []byte) {
	r := p.endpoint.requests.Get().(*Request) //nolint:forcetypeassert // the pool holds nothing else
	err := r.decode(b)
	if errors.Is(err, errMalformed) {
		p.endpoint.recycle(r)
		p.malformed(x.kind, x.mid)
		return
	}
	r.Peer, r.exchange = p, x
	x.arrived = time.Now()
	x.pending = &pending{token: tokenOf(b), size: blockwise.SZX1024}
	switch {
	case !p.begin(x):
		p.refuse(r)
		p.endpoint.recycle(r)
	case err != nil:
		refusal := Diagnostic(codes.BadRequest, err.Error())
		p.endpoint.refused(r, refusal, false)
		x.reply(refusal)
		p.endpoint.recycle(r)
	default:
		x.pending.quiet, _ = r.Uint(message.NoResponse)
		p.enqueue(r)
	}
}

// tokenOf is the token of a message whose token length is valid.
func tokenOf(b []byte) message.Token {
	length := min(int(b[0]&0xf), len(b)-4)
	return append(message.Token(nil), b[4:4+length]...)
}

// begin remembers an exchange, unless there are too many without an answer.
func (p *Peer) begin(x *exchange) bool {
	if !p.endpoint.enter() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.unanswered >= p.endpoint.config.MaxOpenPerPeer {
		p.endpoint.leave()
		return false
	}
	if other, ok := p.memory.find(x.mid); ok {
		p.memory.forget(other)
		p.endpoint.remembered.Add(-1)
	}
	p.makeRoom()
	p.unanswered++
	p.memory.add(x)
	p.endpoint.remembered.Add(1)
	x.pending.ack = time.AfterFunc(p.endpoint.config.AckDelay, x.acknowledge)
	return true
}

// makeRoom forgets answers at the bounds of memory.
func (p *Peer) makeRoom() {
	c := &p.endpoint.config
	for p.memory.len() >= c.MaxRememberedOf || p.endpoint.remembered.Load() >= int64(c.MaxRemembered) {
		if !p.memory.forgetOldest() {
			return
		}
		p.endpoint.remembered.Add(-1)
		p.endpoint.metrics.forget()
	}
}

// refuse answers a request that nobody has room for, and does not remember it.
func (p *Peer) refuse(r *Request) {
	p.endpoint.metrics.drop(dropBusy)
	x, busy := r.exchange, Busy(busySeconds, "too many requests at once")
	p.endpoint.refused(r, busy, x.kind != message.Confirmable)
	if x.kind == message.Confirmable {
		p.write(encode(head{message.Acknowledgement, x.mid, x.pending.token}, busy))
	}
}

// enqueue has a request served after those that came before.
func (p *Peer) enqueue(r *Request) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.queue = append(p.queue, r)
	start := !p.working
	p.working = true
	p.mu.Unlock()
	if start {
		p.endpoint.Go(p.work)
	}
}

// work serves requests until there are none.
func (p *Peer) work() {
	for {
		p.mu.Lock()
		if len(p.queue) == 0 {
			p.queue, p.working = nil, false
			p.mu.Unlock()
			return
		}
		r := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		p.mu.Unlock()
		p.endpoint.serve(p.ctx, r)
		p.endpoint.recycle(r)
	}
}

func (p *Peer) nextMID() uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mid++
	return p.mid
}

// earn lets a client be sent more, because it has sent something itself.
func (p *Peer) earn(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.proven {
		p.credit += amplification * n
	}
}

// room is how many bytes a message to the client may have, within a bound; it leaves enough to repeat a confirmable one.
func (p *Peer) room(confirmable bool, bound int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.proven:
		return MaxMessage
	case confirmable:
		return min(p.credit, bound) / (1 + maxRetransmit)
	default:
		return min(p.credit, bound)
	}
}

// write sends a datagram, unless the client has not proven its address and would be sent too much.
func (p *Peer) write(b []byte) {
	p.mu.Lock()
	if !p.proven {
		if len(b) > p.credit {
			p.mu.Unlock()
			p.endpoint.metrics.drop(dropCredit)
			return
		}
		p.credit -= len(b)
	}
	p.mu.Unlock()
	if err := p.send(b); err != nil {
		p.endpoint.metrics.drop(dropUnsent)
	}
}
