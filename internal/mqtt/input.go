package mqtt

import (
	"io"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// smallBuffer is the part of an input that is always there, in bytes. The usual message of a sensor fits.
const smallBuffer = 256

// An input cuts what a client sends into packets. A client that is silent, or that sends no more than a small packet at
// once, has no other buffer than the small one. A larger one is taken when the small one is full and more has to come, so
// that memory is spent on what has arrived, never on what a client claims to send.
type input struct {
	link       io.Reader
	buffers    *buffers
	buf        []byte // small, or one of buffers
	start, end int    // of what has been read into buf and not been taken
	full       bool   // the last read filled buf: more is probably waiting
	secret     bool   // what is read holds a password
	small      [smallBuffer]byte
}

func (in *input) init(link io.Reader, b *buffers) {
	in.link, in.buffers, in.buf, in.secret = link, b, in.small[:], true
}

// next takes the next packet. ok is false if it is not all there. The body lies in the buffer, until the next fill. limit
// is the largest packet in bytes, its fixed header included.
func (in *input) next(limit int) (h packet.Header, body []byte, ok bool, err error) {
	unread := in.buf[in.start:in.end]
	h, n, err := packet.ParseHeader(unread)
	if err != nil || n == 0 {
		return h, nil, false, err
	}
	size := n + h.Length
	if size > limit {
		return h, nil, false, &packet.Error{Reason: packet.PacketTooLarge, What: "the packet is larger than the server allows"}
	}
	if len(unread) < size {
		return h, nil, false, nil
	}
	in.start += size
	return h, unread[n:size:size], true, nil
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
