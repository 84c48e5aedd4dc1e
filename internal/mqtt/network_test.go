package mqtt

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/transport"
)

// waitFor waits until a condition holds.
func waitFor(tb testing.TB, condition func() bool) {
	tb.Helper()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			tb.Fatal("it did not happen")
		}
		runtime.Gosched()
	}
}

func TestTCP(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		g := &gateway{}
		address := listenTCP(t, NewServer(DefaultConfig(), g, nil))
		c := dial(t, address, v)
		c.works()
		if got := g.all()[0].conn.Remote(); got != "127.0.0.1" {
			t.Errorf("the client's address is %s", got)
		}
		c.send(frame(0xE0))
		c.expectEnd()
	})
}

func TestTLS(t *testing.T) {
	g := &gateway{}
	s := NewServer(DefaultConfig(), g, nil)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{selfSigned(t, "server")},
		ClientAuth:   tls.RequestClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, s, l)
	link, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{selfSigned(t, "device 1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	c := newClient(t, packet.V5, link)
	c.login()
	c.works()
	if peers := g.all()[0].conn.TLS().Chain; len(peers) != 1 || !bytes.Contains(peers[0], []byte("device 1")) {
		t.Errorf("the client shows %d certificates", len(peers))
	}
	c.send(frame(0x20, []byte{0, 0, 0}))
	c.expectDisconnect(packet.ProtocolError)
}

func TestTLSHandshakeFails(t *testing.T) {
	g := &gateway{}
	s := NewServer(DefaultConfig(), g, nil)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{selfSigned(t, "server")}})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, s, l)
	link, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	if _, err := link.Write(hello{version: packet.V5, flags: 2}.bytes()); err != nil { // without TLS
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, link)
	waitFor(t, func() bool { _, unadmitted := s.limits.count(); return unadmitted == 0 })
}

func TestBehindProxy(t *testing.T) {
	certificate := selfSigned(t, "server")
	dir := t.TempDir()
	c := transport.DefaultConfig()
	c.ProxyProtocol = true
	for name, secured := range map[string]bool{"TCP": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			c := c
			c.Address = "127.0.0.1:0"
			if secured {
				c.CertificateFile, c.KeyFile = writePair(t, dir, certificate)
			}
			l, err := transport.Listen(c, nil)
			if err != nil {
				t.Fatal(err)
			}
			g := &gateway{}
			serve(t, NewServer(DefaultConfig(), g, nil), l)
			link, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer link.Close()
			if _, err := io.WriteString(link, "PROXY TCP4 198.51.100.7 127.0.0.1 8080 1883\r\n"); err != nil {
				t.Fatal(err)
			}
			if secured {
				link = tls.Client(link, &tls.Config{InsecureSkipVerify: true})
			}
			client := newClient(t, packet.V5, link)
			client.login()
			client.works()
			if got := g.all()[0].conn.Remote(); got != "198.51.100.7" {
				t.Errorf("the client's address is %s", got)
			}
			client.send(frame(0x20, []byte{0, 0, 0}), bytes.Repeat(frame(0xC0), 5000))
			client.expectDisconnect(packet.ProtocolError)
		})
	}
}

// A client learns why it is refused, though it has sent more than the server wants to read.
func TestLastWordIsNotLost(t *testing.T) {
	address := listenTCP(t, NewServer(DefaultConfig(), &gateway{}, nil))
	for range 20 {
		c := dial(t, address, packet.V5)
		flood := append(frame(0x20, []byte{0, 0, 0}), bytes.Repeat(frame(0xC0), 50_000)...)
		if _, err := c.link.Write(flood); err != nil {
			t.Fatal(err)
		}
		c.expectDisconnect(packet.ProtocolError)
	}
}

// A thousand clients that claim to send 256 MiB cost no memory, neither before their CONNECT nor after it, whether the
// claim is refused or within the limit.
func TestClaimsCostNothing(t *testing.T) {
	const clients = 1000
	config := DefaultConfig()
	config.ConnectBurst, config.ConnectTimeout, config.MaxPacket, config.MaxConnectPacket = 3*clients, 3*time.Second, 1<<20, 1<<20
	g := &gateway{}
	s := NewServer(config, g, nil)
	address := listenTCP(t, s)
	established := dial(t, address, packet.V311)
	for name, sent := range map[string][]byte{
		"before CONNECT, 256 MiB": {0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, 'M', 'Q', 'T', 'T'},
		"before CONNECT, 1 MiB":   {0x10, 0xFC, 0xFF, 0x3F, 0, 4, 'M', 'Q', 'T', 'T', 5, 2},
		"after CONNECT, 256 MiB":  append(hello{version: packet.V311, flags: 2}.bytes(), 0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, 't', 'x', 'x', 'x'),
		"after CONNECT, 1 MiB":    append(hello{version: packet.V311, flags: 2, keepAlive: 1}.bytes(), 0x30, 0xFC, 0xFF, 0x3F, 0, 1, 't', 'x', 'x', 'x'),
	} {
		t.Run(name, func(t *testing.T) {
			before := heapInUse()
			links := make([]net.Conn, clients)
			for i := range links {
				var err error
				if links[i], err = net.Dial("tcp", address.String()); err != nil {
					t.Fatal(err)
				}
				defer links[i].Close()
				if _, err := links[i].Write(sent); err != nil {
					t.Fatal(err)
				}
			}
			if grown := int(heapInUse()) - int(before); grown > clients*16<<10 { // with what they take on their own side
				t.Errorf("%d clients took %d bytes", clients, grown)
			}
			for _, link := range links { // all are closed, by the deadline at the latest
				_ = link.SetReadDeadline(time.Now().Add(time.Minute))
				if _, err := io.Copy(io.Discard, link); errors.Is(err, net.ErrClosed) || isTimeout(err) {
					t.Fatal(err)
				}
			}
			established.works()
		})
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// heapInUse is the memory in use after a collection, in bytes.
func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// An idle connection has one goroutine, whatever it did before.
func TestIdleConnectionHasOneGoroutine(t *testing.T) {
	const clients = 50
	waitFor(t, func() bool { return connGoroutines() == 0 }) // what other tests have left
	address := listenTCP(t, NewServer(DefaultConfig(), &gateway{}, nil))
	for range clients {
		dial(t, address, packet.V5).works()
	}
	waitFor(t, func() bool { return connGoroutines() == clients })
}

// connGoroutines counts the goroutines that do anything for a connection.
func connGoroutines() (n int) {
	stacks := make([]byte, 4<<20)
	for stack := range bytes.SplitSeq(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
		if bytes.Contains(stack, []byte("mqtt.(*Conn)")) || bytes.Contains(stack, []byte("mqtt.(*Server).greet")) {
			n++
		}
	}
	return n
}
