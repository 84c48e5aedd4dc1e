package binary

import (
	"encoding/binary"
	"math"
	"time"
)

// A Writer encodes. It cannot fail.
type Writer struct{ b []byte }

// Bytes is what was written.
func (w *Writer) Bytes() []byte { return w.b }

// Byte writes a byte.
func (w *Writer) Byte(v byte) { w.b = append(w.b, v) }

// Bool writes a Boolean.
func (w *Writer) Bool(v bool) {
	if v {
		w.Byte(1)
	} else {
		w.Byte(0)
	}
}

// Uint16 writes a UInt16.
func (w *Writer) Uint16(v uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, v) }

// Uint32 writes a UInt32.
func (w *Writer) Uint32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }

// Uint64 writes a UInt64.
func (w *Writer) Uint64(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }

// Float32 writes a Float.
func (w *Writer) Float32(v float32) { w.Uint32(math.Float32bits(v)) }

// Float64 writes a Double.
func (w *Writer) Float64(v float64) { w.Uint64(math.Float64bits(v)) }

// null is the length of what is absent.
const null = math.MaxUint32

// String writes a String; "" is null, which is what servers expect where a parameter is not given.
func (w *Writer) String(v string) {
	if v == "" {
		w.Uint32(null)
		return
	}
	w.text(v)
}

// text writes a String that is not null.
func (w *Writer) text(v string) {
	w.Uint32(uint32(len(v)))
	w.b = append(w.b, v...)
}

// ByteString writes a ByteString; nil is null.
func (w *Writer) ByteString(v []byte) {
	if v == nil {
		w.Uint32(null)
		return
	}
	w.Uint32(uint32(len(v)))
	w.b = append(w.b, v...)
}

// Time writes a DateTime. What lies before 1601 is "no time".
func (w *Writer) Time(t time.Time) {
	seconds := t.Unix() - epoch
	switch {
	case t.IsZero() || seconds < 0:
		w.Uint64(0)
	case seconds >= lastTick/ticks:
		w.Uint64(lastTick)
	default:
		w.Uint64(uint64(seconds*ticks + int64(t.Nanosecond())/100))
	}
}

// WriteSlice writes an array; nil is null.
func WriteSlice[T any](w *Writer, s []T, write func(*Writer, T)) {
	if s == nil {
		w.Uint32(null)
		return
	}
	w.Uint32(uint32(len(s)))
	for _, v := range s {
		write(w, v)
	}
}

// Raw writes what is encoded already.
func (w *Writer) Raw(b []byte) { w.b = append(w.b, b...) }
