package mqtt

import (
	"sync"
	"unsafe"
)

// The sizes of pooled buffers, in bytes. The largest holds the largest packet that a Config allows.
const (
	tinyBuffer    = 512
	pageBuffer    = 4 << 10
	streamBuffer  = 16 << 10
	largestBuffer = 1 << 20
)

// bufferSizes has the size of each pool.
func bufferSizes() [8]int {
	return [...]int{tinyBuffer, pageBuffer, streamBuffer, 64 << 10, 128 << 10, 256 << 10, 512 << 10, largestBuffer}
}

// buffers are pools of buffers of a few sizes, so that a connection has one only while it needs it.
type buffers struct {
	sizes [8]int
	pools [8]sync.Pool // of *byte, the first of a buffer: a slice would have to be allocated to be put into a pool
}

func newBuffers() *buffers { return &buffers{sizes: bufferSizes()} }

// get gives a buffer of the smallest size that holds n bytes. Its content is arbitrary.
func (p *buffers) get(n int) []byte {
	for i, size := range p.sizes {
		if n > size {
			continue
		}
		if first, ok := p.pools[i].Get().(*byte); ok {
			return unsafe.Slice(first, size)
		}
		return make([]byte, size)
	}
	return make([]byte, n)
}

// put takes a buffer back. One of another size, which append has made, is left to the garbage collector.
func (p *buffers) put(b []byte) {
	for i, size := range p.sizes {
		if cap(b) == size {
			p.pools[i].Put(unsafe.SliceData(b[:size]))
			return
		}
	}
}
