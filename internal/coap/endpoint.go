package coap

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/fairlead/fairlead/internal/fairshare"
	"github.com/fairlead/fairlead/internal/workers"
)

// keptWorkers is how many goroutines wait for a request to serve or an answer to send.
const keptWorkers = 256

// busySeconds is the Max-Age of a response at a bound.
const busySeconds = 2

// A Handler says what requests mean.
type Handler interface {
	// Head judges the first block of a request that comes block by block: the client, the path, the options. A refusal is the
	// answer, and nothing of the request is kept; nil has the other blocks come. The whole request is judged again by Serve.
	// owner is who the request is of, whose transfers may together take no more than is left for others.
	Head(ctx context.Context, r *Request) (owner string, refusal *Response)
	// Serve answers a request: it calls reply exactly once, from any goroutine, perhaps after it has returned. Requests of one
	// peer come one after the other. ctx ends with the peer.
	Serve(ctx context.Context, r *Request, reply func(Response))
}

// An Endpoint serves any number of peers.
type Endpoint struct {
	config    Config
	handler   Handler
	maxBody   int
	known     []message.OptionID // critical options that the handler understands
	seed      maphash.Seed
	requests  sync.Pool
	workers   *workers.Pool
	metrics   *metrics
	onRefusal func(Refusal) // may be nil
	ctx       context.Context
	cancel    context.CancelFunc

	unanswered   atomic.Int64
	remembered   atomic.Int64
	transferred  fairshare.Pool // bytes, of the owners of requests
	observations atomic.Int64
	draining     atomic.Bool

	mu    sync.Mutex
	peers map[*Peer]struct{}
}

// NewEndpoint makes an endpoint for requests with bodies of at most maxBody bytes. critical are the options with an odd
// number, besides those of the protocol itself, that the handler understands.
func NewEndpoint(c Config, h Handler, maxBody int, critical ...message.OptionID) *Endpoint {
	e := &Endpoint{config: c, handler: h, maxBody: maxBody, known: critical, seed: maphash.MakeSeed(), peers: map[*Peer]struct{}{}}
	e.requests.New = func() any { return new(Request) }
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.workers = workers.NewPool(e.ctx, keptWorkers)
	e.metrics = newMetrics(e)
	go e.sweep()
	return e
}

// recycle keeps a request for the next one, and nothing of what it was about.
func (e *Endpoint) recycle(r *Request) {
	r.Peer, r.exchange, r.Body = nil, nil, nil
	clear(r.datagram[:r.size]) // there may be a password in it
	e.requests.Put(r)
}

// Go runs a task that may take time, for who must not wait: an answer takes encryption.
func (e *Endpoint) Go(task func()) { e.workers.Go(task) }

// Drain has new requests refused, and returns when those before are answered and the answers acknowledged, or when ctx ends.
func (e *Endpoint) Drain(ctx context.Context) error {
	e.draining.Store(true)
	const pause = 5 * time.Millisecond
	for ticker := time.NewTicker(pause); ; {
		if e.unanswered.Load() == 0 && e.onTheirWay() == 0 {
			ticker.Stop()
			return nil
		}
		select {
		case <-ctx.Done():
			ticker.Stop()
			return fmt.Errorf("waiting for the last answers: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}

// Close forgets every peer.
func (e *Endpoint) Close() {
	e.draining.Store(true)
	e.cancel()
	for _, p := range e.all() {
		p.Close()
	}
}

// onTheirWay is the number of confirmable messages that are not acknowledged yet.
func (e *Endpoint) onTheirWay() (count int) {
	for _, p := range e.all() {
		p.mu.Lock()
		count += len(p.sending)
		p.mu.Unlock()
	}
	return count
}

func (e *Endpoint) all() []*Peer {
	e.mu.Lock()
	defer e.mu.Unlock()
	peers := make([]*Peer, 0, len(e.peers))
	for p := range e.peers {
		peers = append(peers, p)
	}
	return peers
}

func (e *Endpoint) register(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.peers[p] = struct{}{}
}

func (e *Endpoint) unregister(p *Peer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.peers, p)
}

// enter counts a request that has no answer yet, unless there are too many.
func (e *Endpoint) enter() bool {
	if e.draining.Load() {
		return false
	}
	return take(&e.unanswered, 1, int64(e.config.MaxOpen))
}

func (e *Endpoint) leave() { e.unanswered.Add(-1) }

func (e *Endpoint) observe() bool { return take(&e.observations, 1, int64(e.config.MaxObservations)) }

func (e *Endpoint) unobserve() { e.observations.Add(-1) }

// take adds to a count that has a bound.
func take(count *atomic.Int64, n, bound int64) bool {
	if count.Add(n) <= bound {
		return true
	}
	count.Add(-n)
	return false
}

// sweep lets go of what has expired in peers that send nothing.
func (e *Endpoint) sweep() {
	ticker := time.NewTicker(sweepPause)
	defer ticker.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case now := <-ticker.C:
			for _, p := range e.all() {
				p.expire(now)
			}
		}
	}
}

func (p *Peer) expire(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endpoint.remembered.Add(-int64(p.memory.expire(now.Add(-exchangeLifetime))))
	p.dropTransfers(func(used time.Time) bool { return now.Sub(used) > p.endpoint.config.TransferTimeout })
}

// busy tells whether something is going on with the client although it may send nothing.
func (p *Peer) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unanswered > 0 || len(p.sending) > 0 || len(p.observations) > 0
}

// critical looks for options that have to be understood and are not: unknown ones, those of a length that they cannot have,
// and those that are there twice and must not be (RFC 7252 section 5.4). silent: the refusal is not sent.
func (e *Endpoint) critical(r *Request) (refusal Response, silent, ok bool) {
	var previous message.OptionID
	for i, o := range r.message.Options {
		repeated := i > 0 && o.ID == previous && o.ID != message.URIPath && o.ID != message.URIQuery
		previous = o.ID
		switch {
		case o.ID%2 == 0:
			continue
		case o.ID == message.ProxyURI || o.ID == message.ProxyScheme:
			return Diagnostic(codes.ProxyingNotSupported, "this is no proxy"), false, false
		case slices.Contains(e.known, o.ID) && !repeated:
			continue
		case understood(o) && !repeated:
			continue
		}
		refusal = Diagnostic(codes.BadOption, "option "+strconv.Itoa(int(o.ID))+" is not understood")
		return refusal, r.exchange.kind == message.NonConfirmable, false
	}
	return refusal, false, true
}

// understood tells whether a critical option is one of the protocol's that the message layer or every handler deals with.
func understood(o message.Option) bool {
	switch o.ID {
	case message.URIHost, message.URIPort, message.URIPath, message.URIQuery, message.Accept, message.Block1, message.Block2:
		return message.VerifyOptLen(o.ID, len(o.Value))
	default:
		return false
	}
}

// refuse answers a request that cannot be understood, or does not answer it at all.
func (x *exchange) refuse(r Response, silent bool) {
	if silent {
		x.peer.endpoint.metrics.drop(dropCritical)
		x.pending.quiet = 1<<5 - 1
	}
	x.reply(r)
}
