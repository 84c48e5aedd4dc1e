package coap

import (
	"context"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// An upload is a request that comes block by block (Block1, RFC 7959 section 2.5). Only the peer's worker works on it; that
// it is there is guarded by the peer's lock.
type upload struct {
	owner string
	body  []byte
	used  time.Time
}

// serve answers a request, or one block of it.
func (e *Endpoint) serve(ctx context.Context, r *Request) {
	x := r.exchange
	if refusal, silent, ok := e.critical(r); !ok {
		e.refused(r, refusal, silent)
		x.refuse(refusal, silent)
		return
	}
	if err := r.blocks(); err != nil {
		refusal := Diagnostic(codes.BadRequest, err.Error())
		e.refused(r, refusal, false)
		x.reply(refusal)
		return
	}
	if r.block2.given {
		x.pending.size = r.block2.szx
	}
	x.pending.block1 = r.block1
	switch {
	case r.block1.given && (r.block1.more || r.block1.num > 0):
		e.receive(ctx, r)
	case r.block2.num > 0:
		x.reply(r.Peer.nextBlock(r))
	default:
		e.hand(ctx, r)
	}
}

// hand gives a whole request to the handler.
func (e *Endpoint) hand(ctx context.Context, r *Request) {
	r.exchange.pending.key = r.downloadKey()
	e.handler.Serve(ctx, r, r.exchange.reply)
}

// receive takes one block of a request. The last one completes it.
func (e *Endpoint) receive(ctx context.Context, r *Request) {
	x, k, owner := r.exchange, r.uploadKey(), ""
	if r.block1.num == 0 {
		r.Peer.dropUpload(k)
		var refusal *Response
		if owner, refusal = e.first(ctx, r); refusal != nil {
			x.reply(*refusal)
			return
		}
	}
	u, refusal := r.Peer.append(r, k, owner)
	switch {
	case refusal != nil:
		e.refused(r, *refusal, false)
		r.Peer.dropUpload(k)
		x.reply(*refusal)
	case r.block1.more:
		x.reply(Response{Code: codes.Continue}.with(uintOption(message.Block1, r.block1.encode())))
	default:
		r.Body = u.body
		e.hand(ctx, r)
		r.Peer.dropUpload(k)
	}
}

// first judges the first block of a request, before anything of it is kept, and tells whose it is.
func (e *Endpoint) first(ctx context.Context, r *Request) (owner string, refusal *Response) {
	if size, ok := r.Uint(message.Size1); ok && size > uint32(e.maxBody) {
		refusal := e.tooLarge()
		e.refused(r, *refusal, false)
		return "", refusal
	}
	return e.handler.Head(ctx, r)
}

func (e *Endpoint) tooLarge() *Response {
	refusal := Response{Code: codes.RequestEntityTooLarge}.with(uintOption(message.Size1, uint32(e.maxBody)))
	return &refusal
}

// append adds a block to its upload, which the first one makes, of an owner. A block that is there already changes nothing.
func (p *Peer) append(r *Request, k key, owner string) (*upload, *Response) {
	incomplete := Diagnostic(codes.RequestEntityIncomplete, "a block before this one is missing")
	if r.block1.more && int64(len(r.Body)) != r.block1.szx.Size() {
		refusal := Diagnostic(codes.BadRequest, "a block is not as large as it says")
		return nil, &refusal
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u := p.upload(k, r.block1.num == 0, owner)
	if u == nil {
		return nil, &incomplete
	}
	offset, end := r.block1.offset(), r.block1.offset()+len(r.Body)
	u.used = time.Now()
	switch {
	case end > p.endpoint.maxBody:
		return nil, p.endpoint.tooLarge()
	case offset < len(u.body) && end <= len(u.body) && r.block1.more:
		return u, nil
	case offset != len(u.body):
		return nil, &incomplete
	case !p.endpoint.transferred.Take(u.owner, len(r.Body), p.endpoint.config.TransferBytes):
		refusal := Busy(busySeconds, "too many messages come block by block")
		return nil, &refusal
	}
	u.body = append(u.body, r.Body...)
	return u, nil
}

// upload finds an upload, or makes it with its first block. The one that has waited for longest gives way.
func (p *Peer) upload(k key, first bool, owner string) *upload {
	if u := p.uploads[k]; u != nil || !first || p.closed {
		return u
	}
	if p.uploads == nil {
		p.uploads = map[key]*upload{}
	}
	if len(p.uploads) >= transfersPerPeer {
		oldest := k
		for other, u := range p.uploads {
			if oldest == k || u.used.Before(p.uploads[oldest].used) {
				oldest = other
			}
		}
		p.removeUpload(oldest)
	}
	u := &upload{owner: owner}
	p.uploads[k] = u
	return u
}

func (p *Peer) dropUpload(k key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removeUpload(k)
}

func (p *Peer) removeUpload(k key) {
	u, ok := p.uploads[k]
	if !ok {
		return
	}
	p.endpoint.transferred.Return(u.owner, len(u.body))
	delete(p.uploads, k)
	if len(p.uploads) == 0 {
		p.uploads = nil
	}
}

// dropTransfers gives up the transfers whose last use is old enough. The caller holds the lock.
func (p *Peer) dropTransfers(old func(time.Time) bool) {
	for k, u := range p.uploads {
		if old(u.used) {
			p.removeUpload(k)
		}
	}
	for k, d := range p.downloads {
		if old(d.used) {
			p.removeDownload(k)
		}
	}
}
