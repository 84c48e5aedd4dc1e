package coap

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
)

// A download is a response that goes block by block (Block2, RFC 7959 section 2.4). It is guarded by the peer's lock.
type download struct {
	response Response // with all of its body, without options of blocks
	used     time.Time
	done     chan struct{} // closed when the last block has been sent, or when the download is given up
}

// split makes the first block of a response that is too large for one message of room bytes, or for the block that the
// client wants, and keeps the rest for when the client asks for it. An error that has no room loses its text.
func (p *Peer) split(r Response, size blockwise.SZX, k key, room int) Response {
	const blockOptions = 3 + 4 + 9 + 1 // Block2, Size2, ETag and the marker before the body, at most
	bare := len(encode(head{token: make(message.Token, message.MaxTokenSize)}, Response{Code: r.Code, Options: r.Options}))
	if len(r.Body) <= int(size.Size()) && bare+1+len(r.Body) <= room {
		return r
	}
	if r.Code >= codes.BadRequest {
		r.Body = nil
		return r
	}
	for size > blockwise.SZX16 && bare+blockOptions+int(size.Size()) > room {
		size--
	}
	if len(r.Body) <= int(size.Size()) {
		return r
	}
	r = r.with(etag(p.endpoint.seed, r.Body))
	if !p.keep(k, r) {
		return Busy(busySeconds, "too many messages go block by block")
	}
	return r.block(block{szx: size})
}

// etag tells responses that a client might mix up apart.
func etag(seed maphash.Seed, body []byte) message.Option {
	return message.Option{ID: message.ETag, Value: binary.BigEndian.AppendUint64(nil, maphash.Bytes(seed, body))}
}

// block is one block of a response.
func (r Response) block(b block) Response {
	whole := r.Body
	start := min(b.offset(), len(whole))
	end := min(start+int(b.szx.Size()), len(whole))
	b.more = end < len(whole)
	r.Body = whole[start:end]
	return r.with(uintOption(message.Block2, b.encode()), uintOption(message.Size2, uint32(len(whole))))
}

// without is the response without an option. Of the blocks of a notification only the first one is a notification (RFC 7959
// section 2.6).
func (r Response) without(id message.OptionID) Response {
	r.Options = slices.DeleteFunc(slices.Clone(r.Options), func(o message.Option) bool { return o.ID == id })
	return r
}

// keep stores a response for its further blocks. The one that has waited for longest gives way.
func (p *Peer) keep(k key, r Response) bool {
	if !p.endpoint.transferred.Take("", len(r.Body), p.endpoint.config.TransferBytes) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		p.endpoint.transferred.Return("", len(r.Body))
		return false
	}
	p.removeDownload(k)
	if len(p.downloads) >= transfersPerPeer {
		oldest := k
		for other, d := range p.downloads {
			if oldest == k || d.used.Before(p.downloads[oldest].used) {
				oldest = other
			}
		}
		p.removeDownload(oldest)
	}
	if p.downloads == nil {
		p.downloads = map[key]*download{}
	}
	p.downloads[k] = &download{response: r, used: time.Now(), done: make(chan struct{})}
	return true
}

// nextBlock is the block of a stored response that a request asks for.
func (p *Peer) nextBlock(r *Request) Response {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := r.downloadKey()
	d := p.downloads[k]
	if d == nil {
		return Diagnostic(codes.RequestEntityIncomplete, "there is no response of which this is a block")
	}
	if r.block2.offset() >= len(d.response.Body) {
		return Diagnostic(codes.BadRequest, "the response has fewer blocks")
	}
	d.used = time.Now()
	answer := d.response.without(message.Observe).block(block{szx: r.block2.szx, num: r.block2.num})
	if r.block2.offset()+len(answer.Body) == len(d.response.Body) {
		p.removeDownload(k)
	}
	return answer
}

func (p *Peer) removeDownload(k key) {
	d, ok := p.downloads[k]
	if !ok {
		return
	}
	close(d.done)
	p.endpoint.transferred.Return("", len(d.response.Body))
	delete(p.downloads, k)
	if len(p.downloads) == 0 {
		p.downloads = nil
	}
}

// fetched is closed when the download of a key, if there is one, is over.
func (p *Peer) fetched(k key) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.downloads[k]; d != nil {
		return d.done
	}
	over := make(chan struct{})
	close(over)
	return over
}
