package mqtt

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// FuzzConnection sends a stream to a connection, in pieces of some size, and hangs up. Whatever it is, nothing panics, and the
// connection ends; a session that began is told so, once.
func FuzzConnection(f *testing.F) {
	for _, v := range []packet.Version{packet.V311, packet.V5} {
		none := properties()
		if v == packet.V311 {
			none = nil
		}
		hi := hello{version: v, flags: 2, keepAlive: 60, id: "me"}.bytes()
		for _, p := range [][]byte{
			publication(v, 1, "t", "x"), publication(v, 0, "t", "x"), frame(0x34, text("t"), number(1), none),
			frame(0x82, number(1), none, filter("a/#", 0)), frame(0xA2, number(1), none, text("a/#")),
			frame(0xC0), frame(0xE0), frame(0xF0), frame(0x40, number(1)), {0x30, 0xFF, 0xFF, 0xFF, 0x7F}, hi,
			publication(packet.V5, 0, "t", "x", property(0x23, 0, 1)), publication(packet.V5, 0, "", "x", property(0x23, 0, 1)),
		} {
			f.Add(append(hi[:len(hi):len(hi)], p...), byte(0))
			f.Add(append(append(hi[:len(hi):len(hi)], p...), p...), byte(3))
		}
		f.Add(hi[:9], byte(1))
	}
	config := DefaultConfig()
	config.ConnectRate, config.ConnectBurst = 1<<30, 1<<30
	f.Fuzz(func(t *testing.T, stream []byte, piece byte) {
		g := &gateway{}
		s := NewServer(config, g, nil)
		l := newPipes()
		serving := make(chan error, 1)
		go func() { serving <- s.Serve(l) }()
		mine, theirs := net.Pipe()
		l.conns <- theirs
		drained := make(chan struct{})
		go func() {
			_, _ = io.Copy(io.Discard, mine)
			close(drained)
		}()
		for len(stream) > 0 {
			n := len(stream)
			if piece > 0 {
				n = min(n, int(piece))
			}
			if _, err := mine.Write(stream[:n]); err != nil {
				break
			}
			stream = stream[n:]
		}
		_ = mine.Close()
		<-drained
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		<-serving
		if n := s.metrics.panics.Load(); n > 0 {
			t.Fatal("it panicked")
		}
		for _, v := range g.all() {
			if len(v.ends()) != 1 {
				t.Fatalf("the session ended %d times", len(v.ends()))
			}
		}
	})
}
