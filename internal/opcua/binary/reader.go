package binary

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"
)

// The errors of a Reader.
var (
	// ErrLimits is the error of what would take more memory or nesting than it may.
	ErrLimits = errors.New("the value exceeds the limits of decoding")
	// ErrMalformed is the error of what is no OPC UA.
	ErrMalformed = errors.New("malformed OPC UA binary")
)

// errShort is the error of what ends before it is whole.
var errShort = fmt.Errorf("%w: it ends too early", ErrMalformed)

// maxNesting is how deep values may lie within each other. The standard asks a decoder for 100 levels.
const maxNesting = 100

// A Reader decodes a message. After the first error it returns zero values.
type Reader struct {
	b     []byte
	err   error
	room  int // bytes that may still be allocated
	depth int
}

// NewReader reads b, and allocates no more than about room bytes for it.
func NewReader(b []byte, room int) *Reader { return &Reader{b: b, room: room} }

// Err is the first error.
func (r *Reader) Err() error { return r.err }

// Rest is what has not been read.
func (r *Reader) Rest() []byte { return r.b }

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
		r.b = nil
	}
}

// take is the next n bytes, or nil.
func (r *Reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	head := r.b[:n:n]
	r.b = r.b[n:]
	return head
}

// Charge counts n bytes as allocated and tells whether they may be.
func (r *Reader) Charge(n int) bool {
	if n > r.room {
		r.fail(ErrLimits)
		return false
	}
	r.room -= n
	return r.err == nil
}

// Room is how many bytes may still be allocated.
func (r *Reader) Room() int { return r.room }

// Enter begins a value within another and tells whether it may. Leave ends it.
func (r *Reader) Enter() bool {
	if r.depth >= maxNesting {
		r.fail(ErrLimits)
		return false
	}
	r.depth++
	return r.err == nil
}

// Leave ends a value within another.
func (r *Reader) Leave() { r.depth-- }

// length reads the length of an array whose elements take at least a byte each. It is -1 for a null array.
func (r *Reader) length() int {
	n := int32(r.Uint32())
	switch {
	case r.err != nil || n < 0:
		return -1
	case int(n) > len(r.b):
		r.fail(errShort)
		return -1
	}
	return int(n)
}

// Byte reads a byte.
func (r *Reader) Byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads a Boolean.
func (r *Reader) Bool() bool { return r.Byte() != 0 }

// Uint16 reads a UInt16.
func (r *Reader) Uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// Uint32 reads a UInt32.
func (r *Reader) Uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads a UInt64.
func (r *Reader) Uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Float32 reads a Float.
func (r *Reader) Float32() float32 { return math.Float32frombits(r.Uint32()) }

// Float64 reads a Double.
func (r *Reader) Float64() float64 { return math.Float64frombits(r.Uint64()) }

// String reads a String. Null is "".
func (r *Reader) String() string { return string(r.bytes()) }

// Bytes reads a ByteString, which is copied. Null is nil.
func (r *Reader) Bytes() []byte {
	b := r.bytes()
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

// bytes is a part of the message.
func (r *Reader) bytes() []byte {
	n := int32(r.Uint32())
	if r.err != nil || n < 0 || !r.Charge(int(n)) {
		return nil
	}
	return r.take(int(n))
}

// epoch is 1601-01-01 in Unix seconds, and lastTick the last moment that OPC UA knows, the end of the year 9999.
const (
	epoch    = -11644473600
	ticks    = 1e7 // in a second
	lastTick = 2650467743990000000
)

// Time reads a DateTime. What stands for "no time" and for the distant past is the zero time.
func (r *Reader) Time() time.Time {
	t := int64(r.Uint64())
	if t <= 0 {
		return time.Time{}
	}
	t = min(t, lastTick)
	return time.Unix(epoch+t/ticks, t%ticks*100).UTC()
}

// Slice reads an array. Null is nil.
func Slice[T any](r *Reader, read func(*Reader) T) []T {
	n := r.length()
	if n < 0 {
		return nil
	}
	var zero T
	if !r.Charge(n * int(unsafe.Sizeof(zero))) {
		return nil
	}
	s := make([]T, n)
	for i := range s {
		if r.err != nil {
			return nil
		}
		s[i] = read(r)
	}
	return s
}

// Malformed fails with what is wrong.
func (r *Reader) Malformed(format string, args ...any) {
	r.fail(fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...)))
}
