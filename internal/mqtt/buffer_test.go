package mqtt

import "testing"

func TestBuffers(t *testing.T) {
	p := newBuffers()
	for n, want := range map[int]int{
		0: 512, 1: 512, 512: 512, 513: 4096, 4096: 4096, 4097: 16384, 65536: 65536, 65537: 131072, 131073: 262144, 300_000: 524288, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1,
	} {
		b := p.get(n)
		if len(b) != want || cap(b) != want {
			t.Errorf("for %d bytes got %d of %d", n, len(b), cap(b))
		}
		p.put(b[:0])
	}
	p.put(make([]byte, 100)) // of no use, and not kept
	if b := p.get(1); len(b) != 512 {
		t.Errorf("got %d bytes", len(b))
	}
}
