package relay

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Faults say how bad the relay is. Each is the part of all datagrams, from 0 to 1, to which it happens, in both directions.
type Faults struct {
	Lose, Repeat, Delay float64
	MaxDelay            time.Duration // of a delayed datagram
	Seed                uint64        // the same seed makes the same faults for the same datagrams in the same order
}

// A Relay stands before a server. Each client has a socket of its own towards the server.
type Relay struct {
	front  *net.UDPConn
	server *net.UDPAddr

	mu      sync.Mutex
	faults  Faults
	dice    *rand.Rand
	counts  Counts
	clients map[string]*net.UDPConn
	closed  bool
}

// Counts are what has happened.
type Counts struct{ Passed, Lost, Repeated, Delayed int }

// Start stands before the server at an address.
func Start(server string, f Faults) (*Relay, error) {
	address, err := net.ResolveUDPAddr("udp", server)
	if err != nil {
		return nil, fmt.Errorf("finding the server: %w", err)
	}
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("opening the relay: %w", err)
	}
	r := &Relay{front: front, server: address, faults: f, dice: rand.New(rand.NewPCG(f.Seed, 0)), clients: map[string]*net.UDPConn{}}
	go r.forward()
	return r, nil
}

// Address is where clients reach the relay.
func (r *Relay) Address() string { return r.front.LocalAddr().String() }

// Set changes how bad the relay is.
func (r *Relay) Set(f Faults) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = f
}

// Counts tells what has happened so far.
func (r *Relay) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Move gives every client another socket towards the server, as a NAT does that has forgotten them.
func (r *Relay) Move() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, back := range r.clients {
		_ = back.Close()
		delete(r.clients, name)
	}
}

// Close ends the relay.
func (r *Relay) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, back := range r.clients {
		_ = back.Close()
	}
	return r.front.Close()
}

// forward takes datagrams from clients to the server.
func (r *Relay) forward() {
	b := make([]byte, 1<<16)
	for {
		n, client, err := r.front.ReadFromUDP(b)
		if err != nil {
			return
		}
		back, err := r.client(client)
		if err != nil {
			continue
		}
		r.pass(b[:n], func(b []byte) { _, _ = back.Write(b) })
	}
}

// client is the socket of a client towards the server.
func (r *Relay) client(address *net.UDPAddr) (*net.UDPConn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, net.ErrClosed
	}
	if back, ok := r.clients[address.String()]; ok {
		return back, nil
	}
	back, err := net.DialUDP("udp", nil, r.server)
	if err != nil {
		return nil, err
	}
	r.clients[address.String()] = back
	go r.answer(back, address)
	return back, nil
}

// answer takes datagrams from the server to a client.
func (r *Relay) answer(back *net.UDPConn, client *net.UDPAddr) {
	b := make([]byte, 1<<16)
	for {
		n, err := back.Read(b)
		if err != nil {
			return
		}
		r.pass(b[:n], func(b []byte) { _, _ = r.front.WriteToUDP(b, client) })
	}
}

// pass sends a datagram, unless something happens to it.
func (r *Relay) pass(b []byte, send func([]byte)) {
	r.mu.Lock()
	f := r.faults
	lose, repeat, delay := r.dice.Float64() < f.Lose, r.dice.Float64() < f.Repeat, r.dice.Float64() < f.Delay
	var after time.Duration
	switch {
	case lose:
		r.counts.Lost++
	case delay && f.MaxDelay > 0:
		after = time.Duration(r.dice.Int64N(int64(f.MaxDelay)))
		r.counts.Delayed++
	default:
		r.counts.Passed++
	}
	if repeat && !lose {
		r.counts.Repeated++
	}
	r.mu.Unlock()
	if lose {
		return
	}
	if after > 0 {
		late := bytes.Clone(b)
		time.AfterFunc(after, func() { send(late) })
	} else {
		send(b)
	}
	if repeat {
		send(b)
	}
}
