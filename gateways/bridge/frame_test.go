package bridge

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// packet is a PUBLISH with so many bytes after its fixed header.
func packet(length int) []byte {
	var b bytes.Buffer
	p := publication(1, "t", "")
	empty := 1 + 2 + 2 + 1 // topic, identifier, no properties
	p.Payload = bytes.Repeat([]byte{0x32}, length-empty)
	if _, err := p.WriteTo(&b); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}

func TestFrame(t *testing.T) {
	f := func(want string, stream ...[]byte) {
		t.Helper()
		whole := bytes.Join(stream, nil)
		for _, size := range []int{1, 2, 3, 7, len(whole)} {
			fr, got := frame{limit: 300}, ""
			for b := whole; len(b) > 0; b = b[min(size, len(b)):] {
				if err := fr.follow(b[:min(size, len(b))]); err != nil {
					got = err.Error()
					break
				}
			}
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%d bytes at a time: %q, want %q", size, got, want)
			}
		}
	}
	ping := []byte{0xd0, 0}
	f("", ping, ping)
	f("", packet(300), packet(127), packet(128), ping, packet(6), packet(300))
	f("more than 300 bytes", packet(301))
	f("more than 300 bytes", ping, packet(300), []byte{0x30, 0xff, 0x7f})
	f("more than 300 bytes", []byte{0x30, 0xff, 0xff, 0xff, 0x7f})
	f("more than 4 bytes", []byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x01})
}

// FuzzFrame compares with what a reader of packets finds: what the frame lets through has no packet beyond the limit.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0xd0, 0, 0x32, 3, 1, 2, 3})
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x80})
	f.Fuzz(func(t *testing.T, stream []byte) {
		const limit = 100
		fr := frame{limit: limit}
		if fr.follow(stream) != nil {
			return
		}
		for r := bytes.NewReader(stream); r.Len() > 0; {
			if _, err := r.ReadByte(); err != nil {
				return
			}
			length, shift := 0, 0
			for {
				c, err := r.ReadByte()
				if err != nil {
					return
				}
				length |= int(c&0x7f) << shift
				shift += 7
				if c&0x80 == 0 {
					break
				}
			}
			if length > limit || shift > 28 {
				t.Fatalf("a packet of %d bytes with a length of %d bits in %x", length, shift, stream)
			}
			_, _ = r.Seek(int64(length), io.SeekCurrent)
		}
	})
}
