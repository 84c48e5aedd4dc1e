package dtls

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/transport/v5/deadline"

	"github.com/fairlead/fairlead/internal/psk"
)

// A nomad is a client's socket that can be exchanged, as a NAT does to it, and that several clients can use one after the
// other.
type nomad struct {
	net.PacketConn // the first one; for everything but reading and writing
	mu             sync.Mutex
	now            net.PacketConn
	inbox          chan []byte
	reading        *deadline.Deadline
}

func newNomad(t testing.TB) *nomad {
	first := socket(t)
	n := &nomad{PacketConn: first, now: first, inbox: make(chan []byte, 100), reading: deadline.New()}
	go n.read(first)
	return n
}

// next is the same socket for the next client.
func (n *nomad) next() *nomad {
	return &nomad{PacketConn: n.PacketConn, now: n.now, inbox: n.inbox, reading: deadline.New()}
}

// silence ends a client without a word to the server.
func (n *nomad) silence() { _ = n.Close() }

func (n *nomad) read(from net.PacketConn) {
	b := make([]byte, 4096)
	for {
		size, _, err := from.ReadFrom(b)
		if err != nil {
			return
		}
		n.inbox <- bytes.Clone(b[:size])
	}
}

func (n *nomad) move(t testing.TB) net.PacketConn {
	next := socket(t)
	go n.read(next)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = next
	return next
}

func (n *nomad) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case m := <-n.inbox:
		return copy(b, m), n.LocalAddr(), nil
	case <-n.reading.Done():
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (n *nomad) WriteTo(b []byte, to net.Addr) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now.WriteTo(b, to)
}

func (n *nomad) SetReadDeadline(t time.Time) error {
	n.reading.Set(t)
	return nil
}

// Close ends the reading of this client; the socket is closed with the test.
func (n *nomad) Close() error { return n.SetReadDeadline(time.Unix(0, 0)) }

// TestConnectionID has a client change its address in the middle of a session.
func TestConnectionID(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	from := newNomad(t)
	conn, err := e.connect(t, from, append(preShared("device@app", "secret"), dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()))...)
	if err != nil {
		t.Fatal(err)
	}
	talk(t, conn, "from the first address")
	before := from.LocalAddr().String()
	after := from.move(t).LocalAddr().String()
	session := e.accepted(t, 0)
	// The answer to the first message may still go to the old address, since pion hands a message on before it looks from
	// where it came.
	eventually(t, "the session to be where its client is", func() bool {
		talk(t, conn, "from the second address")
		return session.Remote().String() == after
	})

	e.Listener.mu.RLock()
	left := len(e.sessions)
	e.Listener.mu.RUnlock()
	if left != 0 {
		t.Errorf("the session still holds %s, which may be another client's now", before)
	}
	session.Close()
	e.Listener.mu.RLock()
	defer e.Listener.mu.RUnlock()
	if len(e.byID) != 0 {
		t.Errorf("%d connection IDs left", len(e.byID))
	}
}

// TestClientBeginsAnew has a client lose its session, and come again from the same address.
func TestClientBeginsAnew(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	from := newNomad(t)
	first, err := e.connect(t, from, preShared("device@app", "secret")...)
	if err != nil {
		t.Fatal(err)
	}
	talk(t, first, "before")
	from.silence()
	second, err := e.connect(t, from.next(), preShared("device@app", "secret")...)
	if err != nil {
		t.Fatal(err)
	}
	<-e.accepted(t, 0).Done()
	talk(t, second, "after")
	if got := e.accepted(t, 1).Remote().String(); got != from.LocalAddr().String() {
		t.Errorf("second session of %s", got)
	}
}

// TestClientGivesUpItsHandshake has a client begin a handshake, fall silent, and begin another one from the same address.
func TestClientGivesUpItsHandshake(t *testing.T) {
	asked := make(chan struct{})
	e := serve(t, DefaultConfig(), Secrets{Key: func(ctx context.Context, identity []byte) (psk.Key, error) {
		if string(identity) == "slow@app" {
			close(asked)
			<-ctx.Done()
		}
		return keys(ctx, identity)
	}}, false)
	from := newNomad(t)
	first, err := dtls.ClientWithOptions(from, net.UDPAddrFromAddrPort(e.Address()), preShared("slow@app", "secret")...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _ = first.HandshakeContext(ctx) }()
	<-asked
	cancel()
	second, err := e.connect(t, from.next(), preShared("device@app", "secret")...)
	if err != nil {
		t.Fatal(err)
	}
	talk(t, second, "hello")
}

func TestIdlestSessionGivesWay(t *testing.T) {
	c := DefaultConfig()
	c.MaxSessions = 2
	e := serve(t, c, Secrets{}, false)
	first, second := e.open(t, preShared("device@app", "secret")...), e.open(t, preShared("device@app", "secret")...)
	talk(t, second, "hello")
	talk(t, first, "hello")
	e.of(t, first).Keep()
	e.of(t, second)
	third := e.open(t, preShared("device@app", "secret")...)
	talk(t, third, "hello")
	if _, err := second.Read(make([]byte, 10)); !errors.Is(err, io.EOF) {
		t.Errorf("the idlest of those that are not kept reads %v", err)
	}
	talk(t, first, "still there")
	talk(t, third, "still there")
}

// hello is a client's first ClientHello.
func hello(t testing.TB) []byte {
	t.Helper()
	silent := socket(t)
	client := socket(t)
	conn, err := dtls.ClientWithOptions(client, silent.LocalAddr(), preShared("device@app", "secret")...)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = conn.Handshake() }()
	defer conn.Close()
	b := make([]byte, 2048)
	n, _, err := silent.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// TestHalfHandshakes sends the beginnings of many handshakes from many addresses. Few of them cost anything at a time, and a
// client that means it gets in all the same.
func TestHalfHandshakes(t *testing.T) {
	c := DefaultConfig()
	c.MaxUnproven = 64
	e := serve(t, c, Secrets{}, false)
	first := hello(t)
	to := net.UDPAddrFromAddrPort(e.Address())
	flood := func() {
		from := socket(t)
		for range 5 {
			if _, err := from.WriteTo(first, to); err != nil {
				t.Error(err)
			}
		}
		if n := e.unproven.Len(); n > c.MaxUnproven+1 {
			t.Fatalf("%d handshakes wait for their cookie", n)
		}
		_ = from.Close()
	}
	for range 500 {
		flood()
	}
	talk(t, e.open(t, preShared("device@app", "secret")...), "hello")
	for range 200 {
		flood()
	}
	if n := e.handshaking.Len(); n != 0 {
		t.Errorf("%d handshakes of addresses that proved nothing", n)
	}
}

// TestGarbage sends what is no handshake, or none that ends.
func TestGarbage(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	from := socket(t)
	send := func(b []byte) {
		t.Helper()
		if _, err := from.WriteTo(b, net.UDPAddrFromAddrPort(e.Address())); err != nil {
			t.Fatal(err)
		}
	}
	first := hello(t)
	for i := range first {
		send(first[:i])
	}
	for kind := range 256 {
		send(append([]byte{byte(kind)}, first[1:]...))
	}
	for i := range first {
		damaged := bytes.Clone(first)
		damaged[i] ^= 0xff
		send(damaged)
	}
	send(make([]byte, 4000))
	talk(t, e.open(t, preShared("device@app", "secret")...), "hello")
}

// fragment is a piece of a handshake message that claims to be huge.
func fragment(sequence uint16, offset, size int) []byte {
	const whole = 1<<24 - 1
	b := make([]byte, headerBytes+handshakeBytes+size)
	b[0], b[1], b[2] = typeHandshake, 0xfe, 0xfd
	binary.BigEndian.PutUint16(b[9:], uint16(offset/max(size, 1)+1))
	binary.BigEndian.PutUint16(b[11:], uint16(handshakeBytes+size))
	m := b[headerBytes:]
	m[0] = clientHello
	m[1], m[2], m[3] = whole>>16, whole>>8&0xff, whole&0xff
	binary.BigEndian.PutUint16(m[4:], sequence)
	m[6], m[7], m[8] = byte(offset>>16), byte(offset>>8), byte(offset)
	m[9], m[10], m[11] = byte(size>>16), byte(size>>8), byte(size)
	return b
}

// TestFragments sends pieces of a message of 16 MB. A client gets no further than its budget.
func TestFragments(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, false)
	from := socket(t)
	for i := range 100 {
		if _, err := from.WriteTo(fragment(0, i*1000, 1000), net.UDPAddrFromAddrPort(e.Address())); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the handshake to be given up", func() bool { return e.unproven.Len() == 0 })
	talk(t, e.open(t, preShared("device@app", "secret")...), "hello")

	// The same in the clear into a session that stands, from the client's own address.
	nomad := newNomad(t)
	conn, err := e.connect(t, nomad, preShared("device@app", "secret")...)
	if err != nil {
		t.Fatal(err)
	}
	talk(t, conn, "before")
	for i := range 100 {
		if _, err := nomad.WriteTo(fragment(9, i*1000, 1000), net.UDPAddrFromAddrPort(e.Address())); err != nil {
			t.Fatal(err)
		}
	}
	session := e.accepted(t, 1)
	eventually(t, "the budget to be used up", func() bool { return session.link.budget.Load() < 0 })
	talk(t, conn, "after")
}

func TestCloseEndsEverySession(t *testing.T) {
	e := serve(t, DefaultConfig(), Secrets{}, true)
	conn := e.open(t, preShared("device@app", "secret")...)
	talk(t, conn, "hello")
	half := socket(t)
	if _, err := half.WriteTo(hello(t), net.UDPAddrFromAddrPort(e.Address())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a handshake to begin", func() bool { return e.unproven.Len() == 1 })
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
	if _, err := conn.Read(make([]byte, 10)); !errors.Is(err, io.EOF) {
		t.Errorf("the client reads %v", err)
	}
	if n := e.established.Len() + e.unproven.Len() + e.handshaking.Len() + len(e.sessions) + len(e.beginnings); n != 0 {
		t.Errorf("%d entries left", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(hello(f))
	f.Add(fragment(0, 0, 10))
	f.Add([]byte{typeConnectionID, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := parse(b)
		if !ok && (r.begins() || r.handshake != 0) {
			t.Errorf("%x is no record and begins a handshake", b)
		}
		if r.begins() && (r.epoch != 0 || r.kind != typeHandshake) {
			t.Errorf("%x begins a handshake in epoch %d as type %d", b, r.epoch, r.kind)
		}
	})
}
