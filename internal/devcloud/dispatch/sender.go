package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/triggers"
)

const (
	maxReply          = 1 << 20 // bytes of a response body: what Kafka takes as one record
	maxResponseHeader = 8 << 10 // bytes of all response headers, as in the Kafka dispatcher
	maxIdlePerHost    = 64      // connections kept open to one subscriber
	maxRedirects      = 16
	dialTimeout       = 10 * time.Second

	attributeHeader = "ce-"
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
		DisableCompression:     true, // a dead letter holds the bytes of the body as they came
	}
	return &sender{client: &http.Client{Transport: transport, CheckRedirect: redirect}}
}

// redirect follows what the Kafka dispatcher follows: 303 by GET, and every redirect of that GET. The others are failures.
func redirect(next *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	if len(via) > maxRedirects || last.Method != http.MethodGet && next.Response.StatusCode != http.StatusSeeOther {
		return http.ErrUseLastResponse
	}
	return nil
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

// A call is one event on its way to one target.
type call struct {
	target      string
	namespace   string // of the Trigger
	event       *triggers.Event
	traceParent string
	noReply     bool // does not ask for an event in the response
}

// post sends one event in binary mode and reads the response. An error means that there was no complete response.
func (s *sender) post(ctx context.Context, c *call) (*response, error) {
	request, err := c.request(ctx)
	if err != nil {
		return nil, err
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

// request writes an event as an HTTP request. Credentials in the target are not sent, as the Kafka dispatcher sends none.
func (c *call) request(ctx context.Context) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if data := c.event.Data(); len(data) > 0 {
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, withoutCredentials(c.target), body)
	if err != nil {
		return nil, errors.New("making the request: the URL is not valid")
	}
	if !c.noReply {
		request.Header.Set("Prefer", "reply")
	}
	request.Header.Set("Kn-Namespace", c.namespace)
	request.Header.Set(attributeHeader+"specversion", c.event.SpecVersion())
	c.event.Attributes(func(name, text string) {
		if name == "datacontenttype" {
			request.Header.Set("Content-Type", text)
			return
		}
		request.Header.Set(attributeHeader+name, event.HeaderValue(text))
	})
	if c.traceParent != "" {
		request.Header.Set("Traceparent", c.traceParent)
	}
	return request, nil
}

// withoutCredentials is a URL without user name and password.
func withoutCredentials(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
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
