//go:build psk

package openssl

/*
#cgo LDFLAGS: -lssl -lcrypto
#cgo CFLAGS: -Wall -Wextra -O2
#cgo noescape fl_context_new
#cgo nocallback fl_context_new
#cgo noescape fl_set_key
#cgo nocallback fl_set_key
#cgo noescape fl_handshake
#cgo nocallback fl_handshake
#cgo noescape fl_read
#cgo nocallback fl_read
#cgo noescape fl_write
#cgo nocallback fl_write
#cgo noescape fl_shutdown
#cgo nocallback fl_shutdown
#include "openssl.h"
#include <openssl/err.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// Available tells whether the program was built with OpenSSL.
const Available = true

// A Context is what sessions have in common.
type Context struct {
	mu sync.Mutex
	c  *C.SSL_CTX // nil after Close
}

// NewContext makes a context that offers protocols for ALPN; none takes whatever a client offers.
func NewContext(protocols []string) (*Context, error) {
	var list []byte
	for _, p := range protocols {
		list = append(append(list, byte(len(p))), p...)
	}
	var code C.ulong
	c := C.fl_context_new(first(list), size(list), &code)
	if c == nil {
		return nil, failure(code)
	}
	return &Context{c: c}, nil
}

// Close lets go of the context. Sessions go on; there will be no more.
func (c *Context) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.c != nil {
		C.SSL_CTX_free(c.c)
		c.c = nil
	}
}

var (
	errClosed  = errors.New("the listener has been closed")
	errMemory  = errors.New("OpenSSL has no memory for a session")
	errTooLong = errors.New("the pre-shared key or its identity is longer than OpenSSL can take")
)

// A Session is one connection. It is for one goroutine at a time. Free must be called.
type Session struct{ s *C.fl_session }

// NewSession makes a session that waits for a ClientHello, and that speaks TLS 1.2 only if it is told to.
func (c *Context) NewSession(only12 bool) (*Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.c == nil {
		return nil, errClosed
	}
	var only C.int
	if only12 {
		only = 1
	}
	s := C.fl_new(c.c, only)
	if s == nil {
		return nil, errMemory
	}
	return &Session{s}, nil
}

// Free lets go of the session.
func (s *Session) Free() {
	C.fl_free(s.s)
	s.s = nil
}

// SetKey says which key the client has to prove, of which identity, once. It is for before the call of Handshake that gets to
// know the identity: the first one with TLS 1.3, the one with the ClientKeyExchange with TLS 1.2.
func (s *Session) SetKey(identity, key []byte) error {
	if C.fl_set_key(s.s, first(identity), size(identity), first(key), size(key)) == 0 {
		return errTooLong
	}
	return nil
}

// Handshake goes on with the handshake.
func (s *Session) Handshake(in, out []byte) (Step, error) {
	return stepOf(C.fl_handshake(s.s, first(in), size(in), first(out), size(out)))
}

// Read decrypts into plain.
func (s *Session) Read(in, out, plain []byte) (Step, error) {
	return stepOf(C.fl_read(s.s, first(in), size(in), first(out), size(out), first(plain), size(plain)))
}

// Write encrypts.
func (s *Session) Write(plain, out []byte) (Step, error) {
	return stepOf(C.fl_write(s.s, first(plain), size(plain), first(out), size(out)))
}

// Shutdown makes a close_notify.
func (s *Session) Shutdown(out []byte) Step {
	step, _ := stepOf(C.fl_shutdown(s.s, first(out), size(out))) // a session that has failed has nothing to say
	return step
}

// State is what the handshake has agreed on, when it is done.
func (s *Session) State() State {
	c := C.fl_state_of(s.s)
	state := State{Version: uint16(c.version), Suite: uint16(c.suite), Proven: c.proven != 0}
	if c.protocol_length > 0 {
		state.Protocol = string(unsafe.Slice((*byte)(c.protocol), c.protocol_length))
	}
	return state
}

// first and size are how C takes bytes.
func first(b []byte) *C.uchar { return (*C.uchar)(unsafe.SliceData(b)) }
func size(b []byte) C.size_t  { return C.size_t(len(b)) }

func stepOf(c C.fl_step) (Step, error) {
	step := Step{Consumed: int(c.consumed), Produced: int(c.produced), Done: int(c.done), Want: Want(c.want)}
	if c.want == C.FL_FAILED {
		return step, failure(c.error)
	}
	return step, nil
}

// failure is an error in OpenSSL's words.
func failure(code C.ulong) error {
	if reason := C.ERR_reason_error_string(code); code != 0 && reason != nil {
		return fmt.Errorf("OpenSSL: %s", C.GoString(reason))
	}
	return fmt.Errorf("OpenSSL: error %#x", uint64(code))
}
