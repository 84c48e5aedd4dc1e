package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A forwarder takes requests to the functions and their answers back.
type forwarder struct {
	proxy     *httputil.ReverseProxy
	telemetry *url.URL
	ttn       *url.URL // nil: there is none
	config    Config
	places    chan struct{} // one for each request on its way
	refusals  *refusal.Log
	metrics   *metrics
}

func newForwarder(c Config, through http.RoundTripper, refusals *refusal.Log, m *metrics) (*forwarder, error) {
	f := &forwarder{config: c, places: make(chan struct{}, c.MaxRequests), refusals: refusals, metrics: m}
	var err error
	if f.telemetry, err = url.Parse(c.TelemetryURL); err != nil {
		return nil, fmt.Errorf("telemetryURL: %w", err)
	}
	if c.WebhookURL != "" {
		if f.ttn, err = url.Parse(c.WebhookURL); err != nil {
			return nil, fmt.Errorf("webhookURL: %w", err)
		}
	}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: f.rewrite, Transport: through, ModifyResponse: f.answered, ErrorHandler: f.failed, BufferPool: newBuffers(),
	}
	return f, nil
}

// ServeHTTP forwards one request.
func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := connectionOf(r.Context()).client(r.RemoteAddr); err != nil {
		f.refuse(w, r, outcome.ResultOf(outcome.Wrap(outcome.Unauthenticated, "", err)))
		return
	}
	select {
	case f.places <- struct{}{}:
		defer func() { <-f.places }()
	default:
		f.refuse(w, r, outcome.Result{Outcome: outcome.Overloaded, Reason: "too many requests at once"})
		return
	}
	if r.ContentLength > int64(f.config.MaxBody) {
		f.refuse(w, r, f.tooLarge())
		return
	}
	if r.ContentLength < 0 {
		r.Body = http.MaxBytesReader(w, r.Body, int64(f.config.MaxBody))
	}
	w.Header()["Content-Type"] = nil // which is not to be guessed where the function gives none
	ctx, cancel := context.WithTimeout(r.Context(), f.config.RequestTimeout)
	defer cancel()
	f.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// rewrite turns the request of a client into that for a function. Its path and query stay as they are, since who reads them is the
// function.
func (f *forwarder) rewrite(p *httputil.ProxyRequest) {
	target := f.telemetry
	if f.ttn != nil && strings.HasPrefix(p.In.URL.Path, "/ttn/") {
		target = f.ttn
	}
	p.SetURL(target)
	p.Out.URL.RawQuery = p.In.URL.RawQuery
	strip(p.Out.Header)
}

// ours begin the names of headers that only proxies and Knative's own parts may send to a function.
var ours = []string{"X-Fairlead-", "X-Forwarded-", "Forwarded", "K-", "Knative-"}

// strip takes out what a client must not say to a function: who it is, that it comes through a proxy, and that it wants another
// protocol on the connection, which would then be the client's alone.
func strip(h http.Header) {
	for name := range h {
		for _, prefix := range ours {
			if strings.HasPrefix(name, prefix) {
				delete(h, name)
			}
		}
	}
	delete(h, "Connection")
	delete(h, "Upgrade")
	delete(h, "Http2-Settings")
}

// answered looks at the answer of a function. A client that is refused with what it has proven in the handshake is to come with a new
// one, since every further request would be refused like this one; a gateway that is refused as somebody else stays.
func (f *forwarder) answered(response *http.Response) error {
	c := connectionOf(response.Request.Context())
	f.metrics.answered(c.proven, response.StatusCode)
	if response.StatusCode == http.StatusForbidden && c.proven != provenNothing && !response.Request.URL.Query().Has("as") {
		response.Header.Set("Connection", "close")
	}
	return nil
}

// failed answers a request that the functions did not answer. Nobody hears the answer to a client that is gone.
func (f *forwarder) failed(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	var unread bodyError
	switch {
	case errors.As(err, &tooLarge):
		f.refuse(w, r, f.tooLarge())
	case errors.Is(r.Context().Err(), context.Canceled):
		f.metrics.abandoned(connectionOf(r.Context()).proven)
		panic(http.ErrAbortHandler)
	case errors.As(err, &unread):
		f.refuse(w, r, outcome.ResultOf(outcome.Wrap(outcome.Invalid, "the body did not arrive whole", err)))
	default:
		f.refuse(w, r, outcome.ResultOf(outcome.Wrap(outcome.Unavailable, "the service cannot be reached", err)))
	}
}

func (f *forwarder) tooLarge() outcome.Result {
	return outcome.Result{Outcome: outcome.TooLarge, Reason: fmt.Sprintf("the body is larger than %d bytes", f.config.MaxBody)}
}

// refuse answers in a function's place.
func (f *forwarder) refuse(w http.ResponseWriter, r *http.Request, result outcome.Result) {
	status := result.Outcome.HTTP()
	f.metrics.answered(connectionOf(r.Context()).proven, status)
	f.refusals.Report(refusal.Report{
		Protocol: refusal.HTTP, Where: r.Method + " " + r.URL.EscapedPath(), Remote: r.RemoteAddr,
		Outcome: result.Outcome, Answer: strconv.Itoa(status), Reason: refusal.Explain(result),
	})
	outcome.WriteHTTP(w, result)
}

// bufferSize is for the answers of functions, which are mostly empty, in bytes.
const bufferSize = 4 << 10

// buffers are for copying answers.
type buffers struct{ pool sync.Pool }

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return new([bufferSize]byte) }}}
}

// Get takes a buffer.
func (b *buffers) Get() []byte {
	taken, _ := b.pool.Get().(*[bufferSize]byte)
	return taken[:]
}

// Put gives a buffer back.
func (b *buffers) Put(used []byte) {
	if len(used) == bufferSize {
		b.pool.Put((*[bufferSize]byte)(used))
	}
}
