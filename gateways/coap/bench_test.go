package coap

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls/server"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/responsewriter"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp/client"
	"github.com/plgd-dev/go-coap/v3/udp/coder"
)

// sessions is how many devices send at once in benchmarks.
const sessions = 100

// bare is go-coap's own DTLS server with its defaults, except for how long it keeps sessions. It gives back what it gets.
func bare(t testing.TB) string {
	t.Helper()
	config := coapnet.NewDTLSServerOptions(dtls.WithPSK(func([]byte) ([]byte, error) { return []byte("key"), nil }),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_GCM_SHA256))
	listener, err := coapnet.NewDTLSListener("udp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	server := coapdtls.New(options.WithErrors(func(error) {}), options.WithKeepAlive(1, time.Hour, func(*client.Conn) {}),
		options.WithHandlerFunc(func(w *responsewriter.ResponseWriter[*client.Conn], r *pool.Message) {
			_ = w.SetResponse(codes.Changed, message.AppOctets, r.Body())
		}))
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return listener.Addr().String()
}

// A silencer is a socket that can stop to send, so that a server does not hear that its client ends.
type silencer struct {
	net.PacketConn
	silent atomic.Bool
}

func (s *silencer) WriteTo(b []byte, to net.Addr) (int, error) {
	if s.silent.Load() {
		return len(b), nil
	}
	return s.PacketConn.WriteTo(b, to)
}

// Close keeps the port of a silent client, so that no other client gets it.
func (s *silencer) Close() error {
	if s.silent.Load() {
		return nil
	}
	return s.PacketConn.Close()
}

// connect makes a session of the device with a server.
func connect(t testing.TB, address string) (*dtls.Conn, *silencer) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inner.Close() })
	socket := &silencer{PacketConn: inner}
	conn, err := dtls.ClientWithOptions(socket, to, preShared("device@app", "key")...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	return conn, socket
}

// template is a confirmable POST of 100 bytes.
func template(t testing.TB) []byte {
	t.Helper()
	m := message.Message{Type: message.Confirmable, Code: codes.POST, Token: make(message.Token, 4), Payload: bytes.Repeat([]byte("x"), 100)}
	m.Options = m.Options.Add(message.Option{ID: message.URIPath, Value: []byte("v1")})
	m.Options = m.Options.Add(message.Option{ID: message.URIPath, Value: []byte("telemetry")})
	b := make([]byte, 200)
	n, err := coder.DefaultCoder.Encode(m, b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// rounds has every session send requests, each after the answer to the one before, until there have been b.N.
func rounds(b *testing.B, address string) {
	conns := make([]*dtls.Conn, sessions)
	for i := range conns {
		conns[i], _ = connect(b, address)
	}
	request := template(b)
	var left atomic.Int64
	left.Store(int64(b.N))
	var devices sync.WaitGroup
	b.ResetTimer()
	before := processorTime(b)
	for _, conn := range conns {
		devices.Go(func() {
			own, answer := bytes.Clone(request), make([]byte, 2048)
			for mid := uint16(1); left.Add(-1) >= 0; mid++ {
				binary.BigEndian.PutUint16(own[2:], mid)
				if _, err := conn.Write(own); err != nil {
					b.Error(err)
					return
				}
				_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
				if _, err := conn.Read(answer); err != nil || answer[1] != byte(codes.Changed) {
					b.Errorf("answer %x, %v", answer[:4], err)
					return
				}
			}
		})
	}
	devices.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// processorTime is what this process has used. Unlike the time that passes it does not depend on what else the machine does.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkRoundTrip compares the gateway, with a writer that stores nothing, with go-coap's bare server. The devices run in
// the same process and cost the same in both.
func BenchmarkRoundTrip(b *testing.B) {
	b.Run("bare", func(b *testing.B) { rounds(b, bare(b)) })
	b.Run("gateway", func(b *testing.B) { rounds(b, start(b, nil).SecureAddress().String()) })
}

// idle opens sessions whose clients forget them, and measures what is left of each.
func idle(t testing.TB, address string) (bytes int) {
	t.Helper()
	const count = 200
	before := resident()
	for range count {
		conn, socket := connect(t, address)
		request := template(t)
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
		if _, err := conn.Read(make([]byte, 2048)); err != nil {
			t.Fatal(err)
		}
		socket.silent.Store(true)
		_ = conn.Close()
	}
	return int(resident()-before) / count
}

// resident is the memory in use.
func resident() uint64 {
	var m runtime.MemStats
	for range 10 { // each may halve a stack
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// TestMemoryOfAnIdleSession bounds what a session costs that does nothing.
func TestMemoryOfAnIdleSession(t *testing.T) {
	s := start(t, nil)
	ours, theirs := idle(t, s.SecureAddress().String()), idle(t, bare(t))
	t.Logf("%d bytes, go-coap's own server %d", ours, theirs)
	if ours > 80<<10 {
		t.Errorf("an idle session takes %d bytes", ours)
	}
}
