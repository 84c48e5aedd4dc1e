package mqtt

import (
	"io"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// smallBuffer is the part of an input that is always there, in bytes. The usual message of a sensor fits.
const smallBuffer = 256

const tooLargeText = "the packet is larger than the server allows"

// An input cuts what a client sends into packets. A client that is silent, or that sends no more than a small packet at
// once, has no other buffer than the small one. A larger one is taken when the small one is full and more has to come, so
// that memory is spent on what has arrived, never on what a client claims to send.
type input struct {
	link       io.Reader
	buffers    *buffers
	buf        []byte // small, or one of buffers
	start, end int    // of what has been read into buf and not been taken
	full       bool   // the last read filled buf: more is probably waiting
	skip       int    // bytes still to come of a packet that is passed over
	secret     bool   // what is read holds a password
	small      [smallBuffer]byte
}

func (in *input) init(link io.Reader, b *buffers) {
	in.link, in.buffers, in.buf, in.secret = link, b, in.small[:], true
}

// next takes the next packet. ok is false if it is not all there. The body lies in the buffer, until the next fill. limit
// is the largest packet in bytes, its fixed header included.
func (in *input) next(limit int) (h packet.Header, body []byte, ok bool, err error) {
	if in.drop(); in.skip > 0 {
		return h, nil, false, nil
	}
	unread := in.buf[in.start:in.end]
	h, n, err := packet.ParseHeader(unread)
	if err != nil || n == 0 {
		return h, nil, false, err
	}
	size := n + h.Length
	if size > limit {
		return h, nil, false, &packet.Error{Reason: packet.PacketTooLarge, What: tooLargeText}
	}
	if len(unread) < size {
		return h, nil, false, nil
	}
	in.start += size
	return h, unread[n:size:size], true, nil
}

// peek is the beginning of the next packet's body, which stays. ok is false if it is not all there.
func (in *input) peek(size int) (body []byte, ok bool) {
	unread := in.buf[in.start:in.end]
	_, n, err := packet.ParseHeader(unread)
	if err != nil || n == 0 || len(unread) < n+size {
		return nil, false
	}
	return unread[n : n+size : n+size], true
}

// pass has next pass over the next packet, however large it is, without keeping it.
func (in *input) pass(h packet.Header) {
	_, n, _ := packet.ParseHeader(in.buf[in.start:in.end]) // which next has read before
	in.skip = n + h.Length
}

// drop takes what is there of a packet that is passed over.
func (in *input) drop() {
	n := min(in.skip, in.end-in.start)
	in.start += n
	in.skip -= n
}

// fill reads once. It is for when next has found nothing.
func (in *input) fill() error {
	in.makeRoom()
	n, err := in.link.Read(in.buf[in.end:])
	in.end += n
	in.full = in.end == len(in.buf)
	if n > 0 {
		return nil // the next read has the error again
	}
	return err
}

// makeRoom moves the beginning of a packet to the beginning of a buffer that fits.
func (in *input) makeRoom() {
	unread := in.buf[in.start:in.end]
	to := in.buf
	switch {
	case in.full && in.skip > len(in.buf):
		to = in.buffers.get(min(in.skip, streamBuffer))
	case len(unread) == 0, !in.full && len(unread) < smallBuffer:
		to = in.small[:]
	case len(unread) == len(in.buf), in.full && len(in.buf) < streamBuffer:
		to = in.buffers.get(max(pageBuffer, len(in.buf)+1))
	}
	copy(to, unread)
	if len(to) != len(in.buf) {
		in.release()
	}
	in.buf, in.start, in.end = to, 0, len(unread)
}

// forget wipes what has been taken, wherever it lies. It is for when nobody uses the body of the CONNECT any more: a small
// buffer may stay as it is for as long as its connection, and a pooled one goes to another.
func (in *input) forget() {
	in.secret = in.start == 0 // nothing was understood
	clear(in.buf[:in.start])
	clear(in.buf[in.end:])
	if len(in.buf) > smallBuffer {
		clear(in.small[:])
	}
}

// release gives the buffer back, if it is not the small one.
func (in *input) release() {
	if len(in.buf) > smallBuffer {
		if in.secret {
			clear(in.buf)
		}
		in.buffers.put(in.buf)
	}
	in.buf, in.start, in.end = in.small[:], 0, 0
}
