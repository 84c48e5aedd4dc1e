package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/fairlead/fairlead/internal/registry"
)

const (
	maxResponseHeader = 16 << 10         // bytes of all headers of a response
	maxIdle           = 4                // connections to one endpoint that are kept open
	idleTimeout       = 30 * time.Second // for which they are
	turnTimeout       = 5 * time.Second  // for a turn at an endpoint
	busyAfter         = time.Second      // when to come back to one that is busy
)

// An endpoint is what is remembered of one.
type endpoint struct {
	client  *http.Client
	timeout time.Duration
	bound   int // bytes of a response's body
	metrics *metrics

	turns      chan struct{} // as many as requests under way
	waiting    atomic.Int64
	maxWaiting int64

	circuit *gobreaker.CircuitBreaker[*Response]
	pause   time.Duration
	opened  atomic.Int64 // when the circuit last was, in nanoseconds of Unix time
}

func newEndpoint(c *Client, of *registry.ExternalEndpoint) (*endpoint, error) {
	trust, err := trusted(of.TLS)
	if err != nil {
		return nil, err
	}
	timeout := time.Duration(of.Timeout)
	if timeout <= 0 {
		timeout = c.config.Timeout
	}
	e := &endpoint{
		timeout: min(timeout, c.config.MaxTimeout), bound: c.config.MaxResponse, metrics: c.metrics,
		turns: make(chan struct{}, c.config.Concurrency), maxWaiting: int64(c.config.MaxWaiting), pause: c.config.Pause,
	}
	e.client = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            c.dial, // and no proxy, which would connect in our place
			TLSClientConfig:        trust,
			TLSHandshakeTimeout:    dialTimeout,
			MaxConnsPerHost:        c.config.Concurrency,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // nobody needs more of a body than its beginning
		},
	}
	e.circuit = e.newCircuit(uint32(c.config.Failures)) //nolint:gosec // which Validate bounds
	return e, nil
}

// trusted says which servers are believed.
func trusted(t registry.EndpointTLS) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Insecure} //nolint:gosec // as who owns the endpoint wants it
	if t.Certificate == "" {
		return c, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM([]byte(t.Certificate)) {
		return nil, errors.New("tls.certificate: must hold a certificate in PEM")
	}
	c.RootCAs = roots
	return c, nil
}

func (e *endpoint) newCircuit(failures uint32) *gobreaker.CircuitBreaker[*Response] {
	return gobreaker.NewCircuitBreaker[*Response](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     e.pause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failures },
		IsExcluded:  saysNothing,
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				e.opened.Store(time.Now().UnixNano())
				e.metrics.paused()
			}
		},
	})
}

// errStatus makes the circuit count a response as a failure.
var errStatus = errors.New("a status of 500 or above")

// errLeft is the error of an attempt whose caller gave up.
var errLeft = errors.New("the caller gave up")

// saysNothing tells whether an error is none of the endpoint's doing.
func saysNothing(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return errors.Is(err, errLeft) || ok && (refused.Kind == Refused || refused.Kind == Invalid)
}

// enter waits for a turn at the endpoint.
func (e *endpoint) enter(ctx context.Context) *Error {
	select {
	case e.turns <- struct{}{}:
		return nil
	default:
	}
	defer e.waiting.Add(-1)
	if e.waiting.Add(1) > e.maxWaiting {
		return &Error{Kind: Busy, After: busyAfter, err: errBusy}
	}
	late := time.NewTimer(turnTimeout)
	defer late.Stop()
	select {
	case e.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
	case <-late.C:
	}
	return &Error{Kind: Busy, After: busyAfter, err: errBusy}
}

func (e *endpoint) leave() { <-e.turns }

// attempt makes a request unless others have failed just now.
func (e *endpoint) attempt(ctx context.Context, call Call) (*Response, *Error) {
	var response *Response
	_, err := e.circuit.Execute(func() (*Response, error) {
		var err error
		response, err = e.request(ctx, call)
		if err == nil && response.Status >= http.StatusInternalServerError {
			return nil, errStatus
		}
		return nil, err
	})
	failed, known := errors.AsType[*Error](err)
	switch {
	case err == nil, errors.Is(err, errStatus):
		return response, nil
	case known:
		return nil, failed
	case errors.Is(err, errLeft):
		return nil, &Error{Kind: TimeOut, err: errLeft}
	}
	left := e.pause - time.Since(time.Unix(0, e.opened.Load()))
	return nil, &Error{Kind: Paused, After: max(left, time.Second), err: errPaused}
}

// request makes a request and reads the response. What is wrong with the body of a response changes nothing: the status says it all.
func (e *endpoint) request(ctx context.Context, call Call) (*Response, error) {
	within, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	request, err := newRequest(within, call)
	if err != nil {
		return nil, &Error{Kind: Invalid, err: err}
	}
	answer, err := e.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errLeft
		}
		return nil, failure(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, int64(e.bound)))
	return &Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}

func (e *endpoint) forget() { e.client.CloseIdleConnections() }
