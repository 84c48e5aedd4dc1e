package coap

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"
	coapclient "github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/fairlead/fairlead/test/relay"
)

const waitLimit = time.Minute

// listen starts a server on a free port.
func listen(t testing.TB, d Handler, change func(*Config)) *Server {
	t.Helper()
	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	e := NewEndpoint(c, d, testMaxBody, 4209)
	s, err := e.ListenUDP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		_ = s.Close()
		e.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// dial connects go-coap's client.
func dial(t testing.TB, address string, more ...udp.Option) *coapclient.Conn {
	t.Helper()
	quiet := options.WithErrors(func(error) {})
	conn, err := udp.Dial(address, append(more, quiet)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	t.Cleanup(cancel)
	return ctx
}

func TestGoCoapClient(t *testing.T) {
	s := listen(t, &desk{serve: func(r *Request, reply func(Response)) {
		if string(r.Body) == "late" {
			time.AfterFunc(100*time.Millisecond, func() { reply(Response{Code: codes.Content, Body: []byte("at last")}) })
			return
		}
		reply(Response{Code: codes.Content, Body: bytes.ToUpper(r.Body)})
	}}, func(c *Config) { c.AckDelay = 10 * time.Millisecond })
	conn := dial(t, s.Address().String())
	f := func(body, want string) {
		t.Helper()
		answer, err := conn.Post(bounded(t), "/v1/x", message.TextPlain, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := answer.ReadBody()
		if err != nil || answer.Code() != codes.Content || string(got) != want {
			t.Errorf("%v %q, %v; want %q", answer.Code(), got, err, want)
		}
	}
	f("hello", "HELLO")
	f("late", "at last")
	f(text(5000), string(bytes.ToUpper([]byte(text(5000)))))
	if err := conn.Ping(bounded(t)); err != nil {
		t.Error(err)
	}
	answer, err := conn.Post(bounded(t), "/v1/x", message.TextPlain, bytes.NewReader(make([]byte, testMaxBody+1)))
	if err != nil || answer.Code() != codes.RequestEntityTooLarge {
		t.Errorf("%v, %v", answer, err)
	}
}

func TestGoCoapObserves(t *testing.T) {
	d, made := watchers()
	s := listen(t, d, nil)
	conn := dial(t, s.Address().String())
	notified := make(chan string, 10)
	observed, err := conn.Observe(bounded(t), "/v1/x", func(m *pool.Message) {
		body, _ := m.ReadBody()
		notified <- string(body)
	})
	if err != nil {
		t.Fatal(err)
	}
	o := <-made
	if got := <-notified; got != "" {
		t.Errorf("the registration is answered with %q", got)
	}
	for _, body := range []string{"a", text(3000), "c"} {
		if err := o.Notify(bounded(t), Response{Code: codes.Content, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		if got := <-notified; got != body {
			t.Errorf("notified of %q, want %q", got, body)
		}
	}
	if err := observed.Cancel(bounded(t)); err != nil {
		t.Fatal(err)
	}
	<-o.Done()
}

// talkTo sends datagrams to a server from a socket of its own.
func talkTo(t testing.TB, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", s.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func exchangeWith(t testing.TB, conn net.Conn, b []byte) message.Message {
	t.Helper()
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(waitLimit))
	got := make([]byte, 4096)
	n, err := conn.Read(got)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, got[:n])
}

func TestOversizedMessage(t *testing.T) {
	s := listen(t, &desk{}, nil)
	conn := talkTo(t, s)
	m := post(message.Confirmable, 7, string(make([]byte, MaxMessage)))
	want(t, exchangeWith(t, conn, raw(t, m)), message.Acknowledgement, codes.RequestEntityTooLarge, 7, m.Token)
	m = post(message.Confirmable, 8, "x")
	want(t, exchangeWith(t, conn, raw(t, m)), message.Acknowledgement, codes.Changed, 8, m.Token)
}

// TestIdlestClientIsForgotten has more clients than are remembered. Those that were admitted stay.
func TestIdlestClientIsForgotten(t *testing.T) {
	d := &desk{serve: func(r *Request, reply func(Response)) {
		if string(r.Body) == "known" {
			r.Peer.Admit()
		}
		reply(Response{Code: codes.Changed})
	}}
	s := listen(t, d, func(c *Config) { c.MaxPeers = 2 })
	known := talkTo(t, s)
	request := raw(t, post(message.Confirmable, 1, "known"))
	exchangeWith(t, known, request)
	for range 10 {
		exchangeWith(t, talkTo(t, s), raw(t, post(message.Confirmable, 1, "unknown")))
	}
	exchangeWith(t, known, request)
	if got := d.bodies(); len(got) != 11 || slices.Index(got[1:], "known") >= 0 {
		t.Errorf("served %q: the known client was forgotten", got)
	}
	if n := len(s.endpoint.all()); n > 2 {
		t.Errorf("%d clients are remembered", n)
	}
}

// numbers is a handler that stores numbers and answers late now and then, so that all ways of answering are taken.
type numbers struct {
	mu     sync.Mutex
	stored []uint32
}

func (n *numbers) Head(context.Context, *Request) (string, *Response) { return "", nil }

func (n *numbers) Serve(_ context.Context, r *Request, reply func(Response)) {
	number := binary.BigEndian.Uint32(r.Body)
	n.mu.Lock()
	n.stored = append(n.stored, number)
	n.mu.Unlock()
	if number%5 == 0 {
		time.AfterFunc(60*time.Millisecond, func() { reply(Response{Code: codes.Changed}) })
		return
	}
	reply(Response{Code: codes.Changed})
}

// TestBadRadio sends numbered requests through a relay that loses, repeats and delays a part of everything. Each acknowledged
// number is stored exactly once, and in order. Requests of several blocks are left to the end-to-end suite, since go-coap's
// client does not repeat a block that got lost.
func TestBadRadio(t *testing.T) {
	store := &numbers{}
	s := listen(t, store, func(c *Config) { c.AckDelay = 20 * time.Millisecond })
	bad, err := relay.Start(s.Address().String(), relay.Faults{Lose: .15, Repeat: .15, Delay: .1, MaxDelay: 50 * time.Millisecond, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	conn := dial(t, bad.Address(), options.WithTransmission(1, 100*time.Millisecond, 12),
		options.WithPeriodicRunner(func(f func(time.Time) bool) {
			go func() {
				for f(time.Now()) {
					<-time.After(20 * time.Millisecond)
				}
			}()
		}))
	var acknowledged []uint32
	for i := range uint32(30) {
		ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
		answer, err := conn.Post(ctx, "/v1/"+strconv.Itoa(int(i)), message.AppOctets, bytes.NewReader(binary.BigEndian.AppendUint32(nil, i)))
		cancel()
		if err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
		if answer.Code() == codes.Changed {
			acknowledged = append(acknowledged, i)
		}
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	if !slices.Equal(acknowledged, store.stored) {
		t.Errorf("acknowledged %v\nstored %v", acknowledged, store.stored)
	}
	if len(acknowledged) < 25 {
		t.Errorf("%d of 30 are acknowledged", len(acknowledged))
	}
	t.Logf("%d acknowledged, the relay: %+v", len(acknowledged), bad.Counts())
}

// FuzzReceive gives a client's datagrams to an endpoint: nothing may crash, and no more may be sent than an unproven client
// may get.
func FuzzReceive(f *testing.F) {
	f.Add(raw(f, post(message.Confirmable, 1, "x")), raw(f, post(message.Confirmable, 1, "x")))
	f.Add(raw(f, part(1, text(5000), 0, 6)), raw(f, part(2, text(5000), 1, 6)))
	f.Add(raw(f, post(message.NonConfirmable, 1, "x", uintOption(message.Block2, blockOf(0, false, 0)))), raw(f, post(message.Confirmable, 2, "", uintOption(message.Block2, blockOf(1, false, 0)))))
	f.Add(raw(f, get(1, uintOption(message.Observe, 0))), raw(f, control(message.Reset, 1)))
	f.Add([]byte{0x48, 2, 0, 1}, []byte{})
	d := &desk{serve: func(r *Request, reply func(Response)) {
		if r.Wish() == Register {
			r.Observe()
		}
		reply(Response{Code: codes.Content, Body: bytes.Repeat([]byte("y"), 3000)})
	}}
	e := NewEndpoint(DefaultConfig(), d, testMaxBody, 4209)
	f.Cleanup(e.Close)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		sent := &tally{}
		p := e.Peer(Transport{Remote: func() netip.AddrPort { return netip.AddrPort{} }, Send: sent.add}, nil)
		for _, b := range [][]byte{first, second, first, second} {
			p.Receive(b)
			for p.isWorking() {
				runtime.Gosched()
			}
		}
		p.Close()
		if bytes, limit := sent.count(), 2*amplification*(len(first)+len(second)); bytes > limit {
			t.Errorf("sent %d bytes, %d are allowed", bytes, limit)
		}
		if n := int64(e.transferred.Len()) + e.unanswered.Load() + e.observations.Load() + e.remembered.Load(); n != 0 {
			t.Errorf("something is kept of a client that is gone: %d", n)
		}
	})
}

// A tally counts bytes that are sent.
type tally struct {
	mu    sync.Mutex
	bytes int
}

func (s *tally) add(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += len(b)
	return nil
}

func (s *tally) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

func (p *Peer) isWorking() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.working
}

func TestServeEndsWithTheSocket(t *testing.T) {
	e := NewEndpoint(DefaultConfig(), &desk{}, testMaxBody)
	defer e.Close()
	if _, err := e.ListenUDP("127.0.0.1:none"); err == nil {
		t.Error("listens at a port without a number")
	}
	s, err := e.ListenUDP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil || !errors.Is(s.Close(), net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
}
