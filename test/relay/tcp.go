package relay

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// A TCP is a relay of TCP connections that can be cut, and can swallow what the server says.
type TCP struct {
	front     net.Listener
	server    string
	mute      atomic.Bool
	swallowed atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// StartTCP stands before the server at an address.
func StartTCP(server string) (*TCP, error) {
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &TCP{front: front, server: server, conns: map[net.Conn]bool{}}
	go r.accept()
	return r, nil
}

// Address is where clients reach the relay.
func (r *TCP) Address() string { return r.front.Addr().String() }

// Mute swallows what the server says, or no longer does. The server is not told.
func (r *TCP) Mute(yes bool) { r.mute.Store(yes) }

// Swallowed is how many bytes were swallowed.
func (r *TCP) Swallowed() int64 { return r.swallowed.Load() }

// Cut ends all connections. New ones are taken.
func (r *TCP) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
	clear(r.conns)
}

// Close ends the relay.
func (r *TCP) Close() error {
	err := r.front.Close()
	r.Cut()
	return err
}

func (r *TCP) accept() {
	for {
		client, err := r.front.Accept()
		if err != nil {
			return
		}
		go r.relay(client)
	}
}

func (r *TCP) relay(client net.Conn) {
	server, err := net.Dial("tcp", r.server)
	if err != nil {
		_ = client.Close()
		return
	}
	r.mu.Lock()
	r.conns[client], r.conns[server] = true, true
	r.mu.Unlock()
	go func() {
		_, _ = io.Copy(server, client)
		r.end(client, server)
	}()
	r.answer(client, server)
	r.end(client, server)
}

// answer takes what the server says to the client.
func (r *TCP) answer(client, server net.Conn) {
	b := make([]byte, 1<<16)
	for {
		n, err := server.Read(b)
		if err != nil {
			return
		}
		if r.mute.Load() {
			r.swallowed.Add(int64(n))
			continue
		}
		if _, err := client.Write(b[:n]); err != nil {
			return
		}
	}
}

func (r *TCP) end(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(r.conns, c)
	}
}
