package coap

import (
	"encoding/binary"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"
)

// A Response is the answer to a request, or a notification. Body must not change afterwards.
type Response struct {
	Code    codes.Code
	Options message.Options // in any order; those of blocks and of observing are added
	Body    []byte
}

// Diagnostic is a response with a text for people (RFC 7252 section 5.5.2).
func Diagnostic(code codes.Code, text string) Response {
	return Response{Code: code, Body: []byte(text)}
}

// Busy is the response at a bound: 5.03 with Max-Age, the seconds after which to try again.
func Busy(seconds uint32, text string) Response {
	return Response{Code: codes.ServiceUnavailable, Options: message.Options{uintOption(message.MaxAge, seconds)}, Body: []byte(text)}
}

// uintOption makes an option of a number, in as few bytes as it has (RFC 7252 section 3.2).
func uintOption(id message.OptionID, value uint32) message.Option {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], value)
	start := 0
	for start < len(b) && b[start] == 0 {
		start++
	}
	return message.Option{ID: id, Value: b[start:]}
}

// UintOption makes an option of a number.
func UintOption(id message.OptionID, value uint32) message.Option { return uintOption(id, value) }

// with is the response with one more option, in a place of its own.
func (r Response) with(options ...message.Option) Response {
	r.Options = append(r.Options[:len(r.Options):len(r.Options)], options...)
	return r
}

// A head is what the message layer puts before a response.
type head struct {
	kind  message.Type
	mid   uint16
	token message.Token
}

// encode makes the datagram of a response.
func encode(h head, r Response) []byte {
	m := message.Message{Type: h.kind, MessageID: int32(h.mid), Token: h.token, Code: r.Code, Payload: r.Body}
	for _, o := range r.Options {
		m.Options = m.Options.Add(o)
	}
	size, err := coder.DefaultCoder.Size(m)
	if err != nil {
		return empty(message.Reset, h.mid)
	}
	b := make([]byte, size)
	if _, err := coder.DefaultCoder.Encode(m, b); err != nil {
		return empty(message.Reset, h.mid)
	}
	return b
}

// empty is an Empty message: an acknowledgement or a reset.
func empty(kind message.Type, mid uint16) []byte {
	b := []byte{1<<6 | byte(kind)<<4, byte(codes.Empty), 0, 0}
	binary.BigEndian.PutUint16(b[2:], mid)
	return b
}
