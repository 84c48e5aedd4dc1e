package outbound

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fairlead/fairlead/internal/registry"
)

// A Client sends requests to external endpoints. It is safe for concurrent use.
type Client struct {
	config   Config
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	metrics  *metrics
	mu       sync.Mutex
	remember *lru.Cache[identity, *endpoint]
}

// An identity stands for an owner's endpoint with everything that is written of it: what is changed is another endpoint, with other
// connections and without the failures of before.
type identity [sha256.Size]byte

// New makes a client of a valid configuration. Names are looked up with the resolver; nil is that of the system.
func New(c Config, resolver *net.Resolver) (*Client, error) {
	g, err := newGuard(c)
	if err != nil {
		return nil, err
	}
	client := &Client{config: c, dial: g.dialer(resolver), metrics: newMetrics()}
	client.remember, err = lru.NewWithEvict(c.MaxEndpoints, func(_ identity, e *endpoint) { e.forget() })
	if err != nil {
		return nil, err
	}
	return client, nil
}

// A Call is one request to an endpoint.
type Call struct {
	Owner    string // whose endpoint it is, such as an application
	Endpoint *registry.ExternalEndpoint
	URL      string      // where to at the endpoint, of which what is remembered holds for all; "" is the endpoint's own
	Header   http.Header // of the message; it goes before the headers of the endpoint
	Body     []byte
}

// A Response is what an endpoint said.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // its beginning, at most Config.MaxResponse bytes
}

// OK tells whether the endpoint has taken the message.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Send makes one request and gives the response, whatever its status. There are no redirects and no second attempts: who calls knows
// when to try again. Errors are *Error; one of Kind TimeOut or Failed leaves open whether the endpoint got the message.
func (c *Client) Send(ctx context.Context, call Call) (*Response, error) {
	started := time.Now()
	response, err := c.send(ctx, call)
	c.metrics.sent(started, response, err)
	if err != nil {
		return nil, err
	}
	return response, nil
}

func (c *Client) send(ctx context.Context, call Call) (*Response, *Error) {
	e, err := c.endpoint(call)
	if err != nil {
		return nil, &Error{Kind: Invalid, err: err}
	}
	if err := e.enter(ctx); err != nil {
		return nil, err
	}
	defer e.leave()
	return e.attempt(ctx, call)
}

// endpoint finds what is remembered of an endpoint, or begins to.
func (c *Client) endpoint(call Call) (*endpoint, error) {
	text, err := json.Marshal(struct {
		Owner    string
		Endpoint *registry.ExternalEndpoint
	}{call.Owner, call.Endpoint})
	if err != nil {
		return nil, errors.New("the endpoint cannot be read")
	}
	id := identity(sha256.Sum256(text))
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.remember.Get(id); ok {
		return e, nil
	}
	e, err := newEndpoint(c, call.Endpoint)
	if err != nil {
		return nil, err
	}
	c.remember.Add(id, e)
	return e, nil
}

// Close lets go of connections that nothing uses.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remember.Purge()
}
