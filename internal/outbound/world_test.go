package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/fairlead/fairlead/internal/registry"
)

// local is a configuration for endpoints on this machine.
func local() Config {
	c := DefaultConfig()
	c.Allow = []string{"127.0.0.0/8"}
	return c
}

func newClient(t *testing.T, c Config) *Client { return newClientWith(t, c, nil) }

func newClientWith(t *testing.T, c Config, resolver *net.Resolver) *Client {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	client, err := New(c, resolver)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// send makes a request of an application's endpoint.
func send(c *Client, e registry.ExternalEndpoint) (*Response, error) {
	return c.Send(context.Background(), Call{Owner: "app", Endpoint: &e, Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte("body")})
}

// expect checks that there was no response, and why.
func expect(t *testing.T, want Kind, r *Response, err error) *Error {
	t.Helper()
	failed, ok := errors.AsType[*Error](err)
	if !ok || failed.Kind != want {
		t.Fatalf("got %+v, %v, want %s", r, err, want)
	}
	return failed
}

// A nameserver answers every question for an IPv4 address with what its owner says.
type nameserver struct {
	mu      sync.Mutex
	address netip.Addr
	asked   int
}

func (n *nameserver) say(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.address = netip.MustParseAddr(address)
}

func (n *nameserver) questions() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

// resolver asks the nameserver and nobody else.
func (n *nameserver) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	go n.run(socket)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}}
}

func (n *nameserver) run(socket net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		length, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer := n.answer(buffer[:length]); answer != nil {
			_, _ = socket.WriteTo(answer, from)
		}
	}
}

func (n *nameserver) answer(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	if q.Type == dnsmessage.TypeA {
		n.asked++
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 0},
			Body:   &dnsmessage.AResource{A: n.address.As4()},
		}}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}
