package coap

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/plgd-dev/go-coap/v3/message"
)

// requestTag is the option Request-Tag (RFC 9175 section 3.2).
const requestTag message.OptionID = 292

// A key says which requests of one peer belong to the same block-wise transfer: those with the same method and the same
// options, whatever their token, message ID and blocks are (RFC 7959 section 2.5, RFC 9175 section 3.3).
type key uint64

// downloadKey is that of a request whose response goes block by block. The requests for further blocks have no body, so
// that what describes it does not count.
func (r *Request) downloadKey() key { return r.key(describesBody) }

// uploadKey is that of a request that comes block by block.
func (r *Request) uploadKey() key { return r.key(func(message.OptionID) bool { return false }) }

func describesBody(id message.OptionID) bool {
	return id == message.ContentFormat || id == requestTag
}

func (r *Request) key(leaveOut func(message.OptionID) bool) key {
	var h maphash.Hash
	h.SetSeed(r.Peer.endpoint.seed)
	_ = h.WriteByte(byte(r.Code))
	for _, o := range r.message.Options {
		switch o.ID {
		case message.Block1, message.Block2, message.Size1, message.Size2, message.Observe:
			continue
		}
		if leaveOut(o.ID) {
			continue
		}
		var frame [4]byte
		binary.BigEndian.PutUint16(frame[:], uint16(o.ID))
		binary.BigEndian.PutUint16(frame[2:], uint16(len(o.Value)))
		_, _ = h.Write(frame[:])
		_, _ = h.Write(o.Value)
	}
	return key(h.Sum64())
}
