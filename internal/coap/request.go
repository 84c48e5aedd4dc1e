package coap

import (
	"errors"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
)

// A Request is one request with its whole body. It and all that it refers to are only valid until Handler.Serve or
// Handler.Head returns.
type Request struct {
	Peer *Peer
	Code codes.Code // method
	Body []byte

	exchange *exchange
	message  message.Message
	block1   block
	block2   block

	size     int // of datagram
	datagram [MaxMessage]byte
	options  [maxOptions]message.Option
}

// A block is a Block1 or Block2 option (RFC 7959 section 2.2).
type block struct {
	given bool
	szx   blockwise.SZX
	num   int64
	more  bool
}

func (b block) offset() int { return int(b.num * b.szx.Size()) }

func (b block) encode() uint32 {
	value, _ := blockwise.EncodeBlockOption(b.szx, b.num, b.more) // cannot fail: what it is made of has been decoded or counted
	return value
}

// Errors of reading a message.
var (
	errMalformed = errors.New("not a CoAP message")
	errOptions   = errors.New("more options than are looked at")
)

// decode reads a datagram, which it copies.
func (r *Request) decode(datagram []byte) error {
	if len(datagram) > len(r.datagram) {
		return errMalformed
	}
	r.size = copy(r.datagram[:], datagram)
	own := r.datagram[:r.size]
	r.message = message.Message{Options: r.options[:0]}
	err := decodeMessage(own, &r.message)
	switch {
	case errors.Is(err, message.ErrOptionsTooSmall):
		return errOptions
	case err != nil:
		return errMalformed
	}
	r.Code, r.Body = r.message.Code, r.message.Payload
	return nil
}

// Option calls yield for each value of an option, in order, until yield says no.
func (r *Request) Option(id message.OptionID) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for _, o := range r.message.Options {
			if o.ID == id && !yield(o.Value) {
				return
			}
		}
	}
}

// First is the first value of an option.
func (r *Request) First(id message.OptionID) (value []byte, ok bool) {
	for v := range r.Option(id) {
		return v, true
	}
	return nil, false
}

// Uint is the first value of an option that is a number. A value that is longer than four bytes is none.
func (r *Request) Uint(id message.OptionID) (value uint32, ok bool) {
	b, ok := r.First(id)
	if !ok || len(b) > 4 {
		return 0, false
	}
	for _, c := range b {
		value = value<<8 | uint32(c)
	}
	return value, true
}

// Wish is what a request says about observing.
type Wish int

// The wishes (RFC 7641 section 2).
const (
	NoWish     Wish = iota // no Observe option, or one with another value
	Register               // 0
	Deregister             // 1
)

// Wish reads the Observe option.
func (r *Request) Wish() Wish {
	switch value, ok := r.Uint(message.Observe); {
	case ok && value == 0:
		return Register
	case ok && value == 1:
		return Deregister
	default:
		return NoWish
	}
}

// blocks reads the options of block-wise transfer. An error is meant for the client.
func (r *Request) blocks() (err error) {
	if r.block1, err = r.block(message.Block1); err != nil {
		return err
	}
	r.block2, err = r.block(message.Block2)
	return err
}

func (r *Request) block(id message.OptionID) (b block, err error) {
	value, ok := r.Uint(id)
	if !ok {
		return block{}, nil
	}
	b.given = true
	b.szx, b.num, b.more, err = blockwise.DecodeBlockOption(value)
	if err != nil || b.szx > blockwise.SZX1024 {
		return block{}, errors.New("a Block option has a size or number that is reserved")
	}
	return b, nil
}
