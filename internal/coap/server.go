package coap

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"

	"github.com/fairlead/fairlead/internal/datagram"
	"github.com/fairlead/fairlead/internal/idle"
)

// A Server serves plain CoAP at one UDP socket. A client is an address and a port.
type Server struct {
	endpoint *Endpoint
	socket   *datagram.Socket
	clients  map[datagram.Peer]*client // of the goroutine that reads
	order    idle.List[*client]
}

type client struct {
	*Peer
	at    datagram.Peer
	entry *idle.Entry[*client]
}

// ListenUDP opens a server at host:port. It serves nothing before Serve.
func (e *Endpoint) ListenUDP(address string) (*Server, error) {
	socket, err := datagram.Listen(address)
	if err != nil {
		return nil, err
	}
	return &Server{endpoint: e, socket: socket, clients: map[datagram.Peer]*client{}}, nil
}

// Address is where the server listens.
func (s *Server) Address() netip.AddrPort { return s.socket.Address() }

// Serve reads requests until Close.
func (s *Server) Serve() error {
	b := make([]byte, MaxMessage+1)
	swept := time.Now()
	for {
		n, from, err := s.socket.Read(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			s.endpoint.metrics.drop(dropUnread)
			time.Sleep(readPause)
			continue
		case n > MaxMessage:
			s.oversize(b, from)
			continue
		}
		if now := time.Now(); now.Sub(swept) > sweepPause {
			s.sweep(now)
			swept = now
		}
		s.client(from).Receive(b[:n])
	}
}

// Close closes the socket and forgets every client.
func (s *Server) Close() error {
	err := s.socket.Close()
	for _, c := range s.order.All() {
		c.Close()
	}
	return err
}

// client finds the client of an address, or makes it. At the bound the idlest one is forgotten.
func (s *Server) client(at datagram.Peer) *client {
	if c, ok := s.clients[at]; ok {
		c.entry.Use()
		return c
	}
	for s.order.Len() >= s.endpoint.config.MaxPeers {
		idlest, ok := s.order.Pop()
		if !ok {
			break
		}
		s.endpoint.metrics.displace()
		s.forget(idlest)
	}
	c := &client{at: at}
	c.entry = s.order.Add(c)
	c.Peer = s.endpoint.Peer(Transport{
		Remote:   func() netip.AddrPort { return at.Remote },
		Send:     func(b []byte) error { return s.socket.Write(b, at) },
		Admitted: c.entry.Keep,
	}, nil)
	s.clients[at] = c
	return c
}

func (s *Server) forget(c *client) {
	delete(s.clients, c.at)
	c.Close()
}

// sweep forgets clients of which no request can come again, unless something is going on with them.
func (s *Server) sweep(now time.Time) {
	for _, c := range s.order.All() {
		if c.busy() {
			c.entry.Use()
		}
	}
	for _, c := range s.order.Expired(now.Add(-exchangeLifetime)) {
		s.forget(c)
	}
}

// oversize refuses a message that is larger than one may be: with an answer if it can be told to be a request. The client is
// not remembered for it.
func (s *Server) oversize(b []byte, from datagram.Peer) {
	s.endpoint.metrics.drop(dropOversize)
	kind, code := message.Type(b[0]>>4&3), codes.Code(b[1])
	if b[0]>>6 != 1 || kind != message.Confirmable {
		return
	}
	mid := uint16(b[2])<<8 | uint16(b[3])
	if b[0]&0xf > maxToken || code == codes.Empty || code > lastMethod {
		_ = s.socket.Write(empty(message.Reset, mid), from)
		return
	}
	_ = s.socket.Write(encode(head{message.Acknowledgement, mid, tokenOf(b)}, *s.endpoint.tooLarge()), from)
}
