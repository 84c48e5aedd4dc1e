package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

const (
	maxReply          = 1 << 20  // bytes of a response body: what Kafka takes as one record
	maxResponseHeader = 64 << 10 // bytes of all response headers
	maxIdlePerHost    = 64       // connections kept open to one subscriber
	dialTimeout       = 10 * time.Second
)

// A sender makes single HTTP requests.
type sender struct{ client *http.Client }

func newSender() *sender {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: maxResponseHeader,
		ForceAttemptHTTP2:      true,
	}
	return &sender{client: &http.Client{
		Transport: transport,
		// The Kafka dispatcher does not follow the redirect of a POST either: it is a failure.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// A response is what a subscriber said, its body cut off at maxReply.
type response struct {
	status   int
	header   http.Header
	body     []byte
	overlong bool
}

func (r *response) ok() bool { return r.status >= 200 && r.status < 300 }

// post sends one event in binary mode and reads the response. An error means that there was no complete response.
func (s *sender) post(ctx context.Context, target string, event cloudevents.Event, traceParent string) (*response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, nil)
	if err != nil {
		return nil, errors.New("making the request: the URL is not valid")
	}
	if err := cehttp.WriteRequest(ctx, binding.ToMessage(&event), request); err != nil {
		return nil, fmt.Errorf("writing the event: %w", err)
	}
	if traceParent != "" {
		request.Header.Set(headerTraceParent, traceParent)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return nil, transportError(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxReply+1))
	if err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	r := &response{status: answer.StatusCode, header: answer.Header, body: body}
	if len(body) > maxReply {
		r.body, r.overlong = body[:maxReply], true
	}
	return r, nil
}

// transportError drops the URL from the text, which may hold a secret in its query; who reads the error knows the Trigger.
func transportError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no response in time")
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
