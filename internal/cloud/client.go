package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/header"
)

// Limits of a call.
const (
	maxAnswer     = 4 << 20          // bytes of one document; lists are read one document at a time
	maxListed     = 256 << 10        // bytes of one document in a list; what is read ahead may double it
	answerTimeout = 75 * time.Second // until an answer begins; a command may wait for a minute
	idleTimeout   = 30 * time.Second // of a connection; less than servers have

	// MaxConnections is how many calls of a client may be made at once. Further ones wait.
	MaxConnections = 64
)

// An Error is what the API said instead of doing what it was asked for.
type Error struct {
	Status  int
	Name    string // such as NotFound; may be ""
	Message string // may be ""

	RetryAfter time.Duration // that is asked for; 0 is nothing
	Advice     string        // what to do; may be ""
}

// Error is what people read.
func (e *Error) Error() string {
	if e.Advice != "" {
		return e.text() + "\n" + e.Advice
	}
	return e.text()
}

func (e *Error) text() string {
	switch {
	case e.Message != "":
		return e.Message
	case e.Status == http.StatusNotFound:
		return "not found"
	case e.Status == http.StatusForbidden:
		return "not permitted"
	default:
		return fmt.Sprintf("the API answered %d", e.Status)
	}
}

// IsNotFound tells whether the API does not have what was asked for, or does not show it to this user.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsConflict tells whether somebody else was faster, or has the name already.
func IsConflict(err error) bool { return hasStatus(err, http.StatusConflict) }

// IsUnreachable tells whether nobody answered.
func IsUnreachable(err error) bool {
	var refused *Error
	return err != nil && !errors.As(err, &refused)
}

// IsLoggedOut tells whether the installation does not know, or no longer knows, who calls.
func IsLoggedOut(err error) bool {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.unknownCaller()
	}
	return errors.Is(err, errLoggedOut)
}

// unknownCaller tells it from a caller who may not do this one thing.
func (e *Error) unknownCaller() bool {
	return e.Status == http.StatusUnauthorized || (e.Status == http.StatusForbidden && e.Name == "Forbidden" && e.Message == "Forbidden")
}

func hasStatus(err error, status int) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status == status
}

// errNoJSON is an answer of something else.
var errNoJSON = errors.New("does not parse")

// A Signer puts a credential on a request.
type Signer func(context.Context, *http.Request) error

// A Client calls the API of one installation. It is safe for concurrent use.
type Client struct {
	base   string
	sign   Signer
	advise func(*Error) // nil for one that nobody is logged in to
	http   *http.Client
}

// NewClient makes a client of the API at a URL. Without a signer it is anonymous.
func NewClient(base string, sign Signer) (*Client, error) {
	base, err := CheckURL(base)
	if err != nil {
		return nil, err
	}
	return &Client{base: base, sign: sign, http: newHTTP()}, nil
}

// newHTTP follows no redirect, so that a credential stays where it is meant to go.
func newHTTP() *http.Client {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ResponseHeaderTimeout:  answerTimeout,
		TLSHandshakeTimeout:    answerTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    MaxConnections,
		MaxConnsPerHost:        MaxConnections,
		IdleConnTimeout:        idleTimeout,
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// CheckURL checks the URL of an installation, and takes the slash at its end away.
func CheckURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("the URL of an installation is like https://api.example.com")
	}
	return strings.TrimRight(text, "/"), nil
}

// call sends a request and reads the document that it is answered with. Nil bodies and answers are none.
func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return &connectionError{fmt.Errorf("reading the answer of %s: %w", c.base, err)}
	case len(text) > maxAnswer:
		return fmt.Errorf("the answer of %s is larger than %d bytes", c.base, maxAnswer)
	case answer == nil || len(text) == 0:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("the answer of %s %w; is it the API of Fairlead?", c.base, errNoJSON)
	}
	return nil
}

// list calls a function with each document of a list, as they arrive.
func (c *Client) list(ctx context.Context, path string, each func(json.RawMessage) error) error {
	response, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body := &metered{from: response.Body, left: maxListed}
	decoder := json.NewDecoder(body)
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('[') {
		return fmt.Errorf("the answer of %s is no list; is it the API of Fairlead?", c.base)
	}
	for decoder.More() {
		body.left = maxListed
		var document json.RawMessage
		if err := decoder.Decode(&document); err != nil {
			return fmt.Errorf("the list of %s breaks off", c.base)
		}
		if err := each(document); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("the list of %s breaks off", c.base)
	}
	return nil
}

// A metered reader gives out so many bytes, until somebody allows more.
type metered struct {
	from io.Reader
	left int
}

// Read reads what is left at most.
func (m *metered) Read(b []byte) (int, error) {
	if m.left <= 0 {
		return 0, errors.New("a document is too large")
	}
	n, err := m.from.Read(b[:min(len(b), m.left)])
	m.left -= n
	return n, err
}

// send sends a request. Everything but success is an error.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing a request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return c.do(request)
}

// do signs a request and sends it. Everything but success is an error.
func (c *Client) do(request *http.Request) (*http.Response, error) {
	for name := range strings.SplitSeq(request.URL.EscapedPath(), "/") {
		if name == "." || name == ".." { // a proxy would ask for what is above it
			return nil, fmt.Errorf("nothing is called %q", name)
		}
	}
	if c.sign != nil {
		if err := c.sign(request.Context(), request); err != nil {
			return nil, err
		}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, &connectionError{fmt.Errorf("asking %s: %w", c.base, withoutURL(err))}
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	refused := readError(response)
	if c.advise != nil {
		c.advise(refused)
	}
	return nil, refused
}

// withoutURL takes the address out of an error of net/http: what is asked for may hold names of devices, and the base is
// named already.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

func readError(response *http.Response) *Error {
	refused := &Error{Status: response.StatusCode, RetryAfter: header.RetryAfter(response.Header)}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	var document struct{ Error, Message string }
	if err == nil && json.Unmarshal(text, &document) == nil {
		refused.Name, refused.Message = document.Error, document.Message
	}
	return refused
}
