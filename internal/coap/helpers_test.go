package coap

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/udp/coder"
)

const testMaxBody = 8 << 10

// A desk is a handler that answers with what a function says, and remembers what came.
type desk struct {
	head  func(r *Request) *Response
	serve func(r *Request, reply func(Response))

	mu   sync.Mutex
	seen []string
}

func (d *desk) Head(_ context.Context, r *Request) (owner string, refusal *Response) {
	if d.head == nil {
		return "owner", nil
	}
	return "owner", d.head(r)
}

func (d *desk) Serve(_ context.Context, r *Request, reply func(Response)) {
	d.mu.Lock()
	d.seen = append(d.seen, string(r.Body))
	d.mu.Unlock()
	if d.serve == nil {
		reply(Response{Code: codes.Changed})
		return
	}
	d.serve(r, reply)
}

func (d *desk) bodies() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.seen...)
}

// A wire is a client on the other side of a Peer.
type wire struct {
	t *testing.T
	*Peer
	desk *desk

	mu   sync.Mutex
	sent [][]byte
}

// connect makes an endpoint with one peer, inside of a bubble of synctest.
func connect(t *testing.T, d *desk, change func(*Config), proven bool) *wire {
	t.Helper()
	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	e := NewEndpoint(c, d, testMaxBody, 4209)
	t.Cleanup(e.Close)
	return join(t, e, d, proven)
}

func join(t *testing.T, e *Endpoint, d *desk, proven bool) *wire {
	w := &wire{t: t, desk: d}
	w.Peer = e.Peer(Transport{
		Remote: func() netip.AddrPort { return netip.MustParseAddrPort("192.0.2.1:5683") },
		Send: func(b []byte) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.sent = append(w.sent, bytes.Clone(b))
			return nil
		},
		Proven: proven,
	}, nil)
	return w
}

// give has the peer receive a message, and returns what is sent until nothing happens any more.
func (w *wire) give(m message.Message) []message.Message {
	w.t.Helper()
	w.Receive(raw(w.t, m))
	return w.take()
}

// take is what was sent since.
func (w *wire) take() (messages []message.Message) {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.sent {
		messages = append(messages, parse(w.t, b))
	}
	w.sent = nil
	return messages
}

// one is the only message that is sent in answer.
func (w *wire) one(m message.Message) message.Message {
	w.t.Helper()
	return only(w.t, w.give(m))
}

func only(t *testing.T, messages []message.Message) message.Message {
	t.Helper()
	if len(messages) != 1 {
		t.Fatalf("%d messages were sent, want one: %v", len(messages), messages)
	}
	return messages[0]
}

func none(t *testing.T, messages []message.Message) {
	t.Helper()
	if len(messages) != 0 {
		t.Fatalf("sent %v", messages)
	}
}

func raw(t testing.TB, m message.Message) []byte {
	t.Helper()
	size, err := coder.DefaultCoder.Size(m)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := coder.DefaultCoder.Encode(m, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, b []byte) message.Message {
	t.Helper()
	m := message.Message{Options: make(message.Options, 0, maxOptions)}
	if _, err := coder.DefaultCoder.Decode(b, &m); err != nil {
		t.Fatalf("sent %x: %v", b, err)
	}
	return m
}

// post is a request.
func post(kind message.Type, mid uint16, body string, options ...message.Option) message.Message {
	m := message.Message{Type: kind, Code: codes.POST, MessageID: int32(mid), Token: message.Token{1, 2, byte(mid)}, Payload: []byte(body)}
	m.Options = m.Options.Add(message.Option{ID: message.URIPath, Value: []byte("v1")})
	for _, o := range options {
		m.Options = m.Options.Add(o)
	}
	return m
}

func get(mid uint16, options ...message.Option) message.Message {
	m := post(message.Confirmable, mid, "", options...)
	m.Code = codes.GET
	return m
}

func control(kind message.Type, mid int32) message.Message {
	return message.Message{Type: kind, MessageID: mid}
}

func opaque(id message.OptionID, value string) message.Option {
	return message.Option{ID: id, Value: []byte(value)}
}

// want checks a response's type, code, message ID and token.
func want(t *testing.T, got message.Message, kind message.Type, code codes.Code, mid int32, token message.Token) {
	t.Helper()
	if got.Type != kind || got.Code != code || (mid >= 0 && got.MessageID != mid) || !bytes.Equal(got.Token, token) {
		t.Errorf("got %v %v, message ID %d, token %v; want %v %v, %d, %v", got.Type, got.Code, got.MessageID, got.Token, kind, code, mid, token)
	}
}

func number(m message.Message, id message.OptionID) (uint32, bool) {
	r := &Request{message: m}
	return r.Uint(id)
}
