package mqtt

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for no reason that there is here
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPublish publishes messages of QoS 1 with 100 bytes over TCP connections of one and of many clients, each with
// a window of messages in flight, and answers them from another goroutine, as Kafka's client does. cpu-ns/op is processor
// time, which the clients, in the same process, have their share of.
func BenchmarkPublish(b *testing.B) {
	for _, clients := range []int{1, 100} {
		for _, window := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("clients=%d/window=%d", clients, window), func(b *testing.B) { benchmarkPublish(b, clients, window) })
		}
	}
}

func benchmarkPublish(b *testing.B, clients, window int) {
	h := answering{make(chan func(Answer), 10_000)}
	go h.answer()
	defer close(h.questions)
	address := listenTCP(b, NewServer(DefaultConfig(), h, nil))
	links := make([]net.Conn, clients)
	for i := range links {
		links[i] = dial(b, address, packet.V5).link
	}
	message := publication(packet.V5, 1, "temperature", strings.Repeat("x", 100))
	each := b.N/clients + 1
	b.ReportAllocs()
	b.ResetTimer()
	started, finished := cpu(), make(chan error, clients)
	for _, link := range links {
		go func() { finished <- pump(link, message, each, window) }()
	}
	for range links {
		if err := <-finished; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu()-started)/float64(each*clients), "cpu-ns/op")
}

// answering is a handler that accepts all messages, one after the other, from a goroutine of its own.
type answering struct{ questions chan func(Answer) }

func (h answering) answer() {
	for done := range h.questions {
		done(Answer{})
	}
}

func (h answering) Connect(context.Context, *Conn, *packet.Connect) (Session, error) { return h, nil }
func (h answering) Publish(_ *packet.Publish, done func(Answer))                     { h.questions <- done }
func (h answering) Subscribe(packet.Subscription, uint32, packet.UserProperties) packet.Reason {
	return packet.Success
}
func (h answering) Unsubscribe(string) packet.Reason { return packet.Success }
func (h answering) Closed(End)                       {}

// pump publishes n messages and keeps a window of them in flight, with as few system calls as it can.
func pump(link net.Conn, message []byte, n, window int) error {
	batch := []byte(strings.Repeat(string(message), window))
	acks := make([]byte, 4096)
	for sent, received := 0, 0; received < 4*n; {
		if free := min(window-sent+received/4, n-sent); free > 0 {
			if _, err := link.Write(batch[:free*len(message)]); err != nil {
				return err
			}
			sent += free
		}
		got, err := link.Read(acks)
		if err != nil {
			return err
		}
		received += got
	}
	return nil
}

// BenchmarkIdle holds idle connections of clients that take no memory in this process, and reports what one takes.
func BenchmarkIdle(b *testing.B) {
	b.Run("TCP", func(b *testing.B) {
		benchmarkIdle(b, (*Server).Serve, func(link net.Conn) net.Conn { return link })
	})
	config := &tls.Config{Certificates: []tls.Certificate{selfSigned(b, "server")}, ClientAuth: tls.RequestClientCert}
	b.Run("TLS", func(b *testing.B) {
		benchmarkIdle(b,
			func(s *Server, l net.Listener) error { return s.Serve(tls.NewListener(l, config)) },
			func(link net.Conn) net.Conn { return tls.Client(link, &tls.Config{InsecureSkipVerify: true}) })
	})
	b.Run("WebSocket", func(b *testing.B) {
		benchmarkIdle(b, func(s *Server, l net.Listener) error { return http.Serve(l, s.WebSocket()) }, overWebSocket)
	})
}

// overWebSocket asks for a WebSocket.
func overWebSocket(link net.Conn) net.Conn {
	in := bufio.NewReader(link)
	_, err := io.WriteString(link, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err == nil {
		_, err = http.ReadResponse(in, nil)
	}
	if err != nil {
		panic(err)
	}
	return &shortMessages{link, in}
}

// shortMessages are what goes over a WebSocket, if each is shorter than 126 bytes and none is read in part.
type shortMessages struct {
	net.Conn
	in *bufio.Reader
}

func (m *shortMessages) Write(b []byte) (int, error) {
	_, err := m.Conn.Write(append([]byte{0x82, 0x80 | byte(len(b)), 0, 0, 0, 0}, b...)) // masked with zeros
	return len(b), err
}

func (m *shortMessages) Read(b []byte) (int, error) {
	var header [2]byte
	if _, err := io.ReadFull(m.in, header[:]); err != nil {
		return 0, err
	}
	return io.ReadFull(m.in, b[:header[1]])
}

func benchmarkIdle(b *testing.B, serve func(*Server, net.Listener) error, client func(net.Conn) net.Conn) {
	const n = 5_000
	c := DefaultConfig()
	c.ConnectBurst = n
	for range b.N {
		s := NewServer(c, &gateway{}, nil)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go func() { _ = serve(s, l) }() // until it is closed
		links := make([]*os.File, n)
		settle()
		before, goroutines := resident(b), runtime.NumGoroutine()
		for i := range links {
			links[i] = connectAndForget(b, l.Addr(), client)
		}
		settle()
		b.ReportMetric(float64(resident(b)-before)/n, "B/conn")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/n, "goroutines/conn")
		for _, link := range links {
			_ = link.Close()
		}
		_ = l.Close()
		if err := s.Shutdown(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// connectAndForget connects a client that is admitted, and keeps nothing of it but its file descriptor.
func connectAndForget(b *testing.B, address net.Addr, client func(net.Conn) net.Conn) *os.File {
	b.Helper()
	raw, err := net.Dial("tcp", address.String())
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	newClient(b, packet.V5, client(raw)).login()
	file, err := raw.(*net.TCPConn).File()
	if err != nil {
		b.Fatal(err)
	}
	return file
}

// settle gives back all memory that is not in use.
func settle() {
	runtime.GC()
	runtime.GC() // for what was in pools
	debug.FreeOSMemory()
}

// resident is the memory of this process in bytes.
func resident(b *testing.B) int {
	b.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("there is no /proc")
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize()
}
