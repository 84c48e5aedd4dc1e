package http

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/backoff"
)

// Bounds of connections to functions.
const (
	dialTimeout        = 5 * time.Second
	upstreamIdle       = 20 * time.Second // shorter than a function keeps one, which could close it under a request
	upstreamIdleConns  = 512              // for each function
	maxResponseHeaders = 64 << 10         // bytes
	continueTimeout    = time.Second      // after which a body is sent that the function has not asked for
	firstPause         = 50 * time.Millisecond
	longestPause       = time.Second
)

// An upstream sends requests to functions, each attempt with a signature of its own. It tries again while nobody takes the connection,
// since nothing of the request has been sent then.
type upstream struct {
	next     http.RoundTripper
	signer   *assertion.Signer
	patience time.Duration
	metrics  *metrics
}

func newUpstream(c Config, signer *assertion.Signer, m *metrics) *upstream {
	return &upstream{next: newTransport(), signer: signer, patience: c.WakeTimeout, metrics: m}
}

func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    upstreamIdleConns,
		IdleConnTimeout:        upstreamIdle,
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxResponseHeaders,
		DisableCompression:     true, // what the client did not ask for it does not get
	}
}

var _ http.RoundTripper = (*upstream)(nil)

// RoundTrip signs and sends a request whose context holds its connection.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	statement, err := connectionOf(r.Context()).client(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), u.patience)
	defer cancel()
	body := &body{from: r.Body}
	for pauses := backoff.New(firstPause, longestPause); ; {
		attempt := r.WithContext(r.Context())
		body.into(attempt)
		u.signer.Sign(attempt, statement)
		response, err := u.next.RoundTrip(attempt)
		if err == nil || !refusedConnection(err) || body.begun() {
			return response, body.explain(err)
		}
		u.metrics.retried()
		if !backoff.Wait(ctx, pauses.Next()) {
			return nil, err
		}
	}
}

// refusedConnection tells whether nobody took the connection.
func refusedConnection(err error) bool {
	var problem *net.OpError
	return errors.As(err, &problem) && problem.Op == "dial"
}

// A body is that of a request, for one attempt after the other until one has read of it. Nobody closes it but the server.
type body struct {
	from io.Reader
	read atomic.Bool
	err  atomic.Pointer[error] // of reading it
}

// into gives the body to an attempt. The transport may take it once more as long as nothing has been read, which it does where a
// connection turns out to be closed before anything was sent.
func (b *body) into(r *http.Request) {
	if b.from == nil || b.from == http.NoBody {
		r.Body = nil
		return
	}
	r.Body = io.NopCloser(b)
	r.GetBody = func() (io.ReadCloser, error) {
		if b.begun() {
			return nil, errBegun
		}
		return io.NopCloser(b), nil
	}
}

var errBegun = errors.New("the body has been read already")

// Read reads from the client.
func (b *body) Read(p []byte) (int, error) {
	b.read.Store(true)
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		b.err.Store(&err)
	}
	return n, err
}

func (b *body) begun() bool { return b.read.Load() }

// A bodyError is a failure to read the body of a client.
type bodyError struct{ error }

func (e bodyError) Unwrap() error { return e.error }

// explain is the error of an attempt, or of reading the body if that is why it failed.
func (b *body) explain(err error) error {
	if cause := b.err.Load(); err != nil && cause != nil {
		return bodyError{*cause}
	}
	return err
}
