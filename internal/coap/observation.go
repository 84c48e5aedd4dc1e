package coap

import (
	"context"
	"sync"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
)

// An Observation is a client's wish to be told (RFC 7641). Its notifications are confirmable and go one at a time.
type Observation struct {
	peer  *Peer
	token message.Token
	key   key
	size  blockwise.SZX
	done  chan struct{}
	once  sync.Once

	mu       sync.Mutex
	sequence uint32 // of the next notification; 24 bits
}

// Observe registers the client of a request whose Wish is Register; the reply to the request becomes the first
// notification. A registration with the same token gives way to the new one (section 4.1). nil: there are too many, and the
// client is answered without being registered.
func (r *Request) Observe() *Observation {
	p := r.Peer
	if !p.endpoint.observe() {
		return nil
	}
	o := &Observation{peer: p, token: r.exchange.pending.token, key: r.downloadKey(), size: r.exchange.pending.size, done: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		o.finish()
		return nil
	}
	if p.observations == nil {
		p.observations = map[string]*Observation{}
	}
	old := p.observations[string(o.token)]
	p.observations[string(o.token)] = o
	p.mu.Unlock()
	if old != nil {
		old.finish()
	}
	r.exchange.pending.observe = o
	return o
}

// Deregister ends the observation with the token of a request whose Wish is Deregister.
func (r *Request) Deregister() {
	p := r.Peer
	p.mu.Lock()
	o := p.observations[string(r.exchange.pending.token)]
	p.mu.Unlock()
	if o != nil {
		o.End()
	}
}

// Done is closed when the observation has ended: by the client, or by End.
func (o *Observation) Done() <-chan struct{} { return o.done }

// Notify sends a notification and waits until the client has it, all its blocks included. Errors end the observation.
func (o *Observation) Notify(ctx context.Context, r Response) error {
	r = o.peer.split(r.with(o.option()), o.size, o.key, o.peer.room(true, MaxMessage))
	if err := o.send(ctx, r); err != nil {
		o.End()
		return err
	}
	select {
	case <-o.peer.fetched(o.key):
	case <-o.done:
		return ErrClosed
	case <-ctx.Done():
		o.End()
		return ctx.Err()
	}
	return nil
}

func (o *Observation) send(ctx context.Context, r Response) error {
	ended := make(chan error, 1)
	o.peer.transmit(func(mid uint16) []byte { return encode(head{message.Confirmable, mid, o.token}, r) },
		func(err error) { ended <- err })
	select {
	case err := <-ended:
		return err
	case <-o.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Refuse ends the observation with a last notification, an error (section 4.2).
func (o *Observation) Refuse(r Response) {
	o.End()
	r = o.peer.split(r, o.size, o.key, o.peer.room(true, MaxMessage))
	o.peer.transmit(func(mid uint16) []byte { return encode(head{message.Confirmable, mid, o.token}, r) }, nil)
}

// End ends the observation without a word.
func (o *Observation) End() {
	p := o.peer
	p.mu.Lock()
	if p.observations[string(o.token)] == o {
		delete(p.observations, string(o.token))
		if len(p.observations) == 0 {
			p.observations = nil
		}
	}
	p.mu.Unlock()
	o.finish()
}

func (o *Observation) finish() {
	o.once.Do(func() {
		close(o.done)
		o.peer.endpoint.unobserve()
	})
}

// option is the Observe option of the next notification (section 3.4): a number that grows.
func (o *Observation) option() message.Option {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sequence = (o.sequence + 1) & (1<<24 - 1)
	return uintOption(message.Observe, o.sequence)
}

// first is told how a separate reply to the registration ended. An observation whose registration the client has not heard
// of is over.
func (o *Observation) first() func(error) {
	if o == nil {
		return nil
	}
	return func(err error) {
		if err != nil {
			o.End()
		}
	}
}
