package mqtt

import (
	"context"
	"fmt"
	"io"
	"net"
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
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPublish publishes messages of QoS 1 with 100 bytes over TCP connections of one and of many clients, each with
// a window of messages in flight, and answers them in batches from another goroutine as Kafka's client does. The client
// runs in the same process, so its share is part of cpu-ns/op; with FAIRLEAD_BENCH_CLIENT it is not.
func BenchmarkPublish(b *testing.B) {
	for _, clients := range []int{1, 100} {
		for _, window := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("clients=%d/window=%d", clients, window), func(b *testing.B) { publishing(b, clients, window) })
		}
	}
}

func publishing(b *testing.B, clients, window int) {
	answers := make(chan func(Answer), 10_000)
	g := &gateway{}
	go func() {
		for done := range answers {
			done(Answer{})
		}
	}()
	s := NewServer(DefaultConfig(), benchHandler{g, answers}, nil)
	address := listenTCP(b, s)
	links := make([]*client, clients)
	for i := range links {
		links[i] = dial(b, address, packet.V5)
	}
	payload := strings.Repeat("x", 100)
	one := publication(packet.V5, 1, "temperature", payload)
	per := b.N/clients + 1
	b.ReportAllocs()
	b.ResetTimer()
	started := cpu()
	finished := make(chan error, clients)
	for _, c := range links {
		go func() { finished <- pump(c.link, one, per, window) }()
	}
	for range links {
		if err := <-finished; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu()-started)/float64(per*clients), "cpu-ns/op")
	close(answers)
}

type benchHandler struct {
	*gateway
	answers chan func(Answer)
}

// pump keeps a window of messages in flight, with as few system calls as it can.
func pump(link net.Conn, one []byte, n, window int) error {
	batch := []byte(strings.Repeat(string(one), window))
	acks := make([]byte, 4096)
	free, sent, acked, partial := window, 0, 0, 0
	for acked < n {
		if k := min(free, n-sent); k > 0 {
			if _, err := link.Write(batch[:k*len(one)]); err != nil {
				return err
			}
			sent, free = sent+k, free-k
		}
		got, err := link.Read(acks)
		if err != nil {
			return err
		}
		partial += got
		acked, free = acked+partial/4, free+partial/4
		partial %= 4
	}
	return nil
}

// rss is the resident memory of this process in bytes.
func rss() int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize()
}

// BenchmarkIdle holds idle connections, of clients that only have a socket, and reports what one takes.
func BenchmarkIdle(b *testing.B) {
	const n = 5_000
	c := DefaultConfig()
	c.ConnectBurst, c.ConnectRate = n, n
	for range b.N {
		s := NewServer(c, &gateway{}, nil)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go func() { _ = s.Serve(l) }()
		runtime.GC()
		debug.FreeOSMemory()
		before, goroutines := rss(), runtime.NumGoroutine()
		fds := make([]int, n)
		hi := hello{version: packet.V5, flags: 2, id: "device"}.bytes()
		for i := range fds {
			fds[i] = rawDial(b, l.Addr().(*net.TCPAddr).Port)
			if _, err := syscall.Write(fds[i], hi); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 64)
			if n, err := syscall.Read(fds[i], buf); err != nil || n < 4 || buf[3] != 0 {
				b.Fatal(n, err, buf[:n])
			}
		}
		runtime.GC()
		runtime.GC()
		debug.FreeOSMemory()
		b.ReportMetric(float64(rss()-before)/n, "B/conn")
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapInuse)/n, "heap/conn")
		b.ReportMetric(float64(m.StackInuse)/n, "stack/conn")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/n, "goroutines/conn")
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
		_ = s.Shutdown(b.Context())
	}
}

func rawDial(b *testing.B, port int) int {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		b.Fatal(err)
	}
	return fd
}

var _ = io.EOF

func (h benchHandler) Connect(ctx context.Context, c *Conn, p *packet.Connect) (Session, error) {
	return benchSession{h.answers}, nil
}

type benchSession struct{ answers chan func(Answer) }

func (s benchSession) Publish(p *packet.Publish, done func(Answer)) { s.answers <- done }

func (s benchSession) Subscribe(packet.Subscription, uint32) packet.Reason { return 0 }

func (s benchSession) Unsubscribe(string) packet.Reason { return 0 }

func (s benchSession) Closed(End) {}
