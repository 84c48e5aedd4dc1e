package sink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/header"
	"github.com/fairlead/fairlead/internal/user"
)

const (
	dialTimeout       = 5 * time.Second
	idleTimeout       = time.Minute
	maxResponse       = 64 << 10 // bytes of a body that are read so that the connection can be used again
	maxResponseHeader = 16 << 10 // bytes
	recordPrefix      = "ce_"    // of attributes in records
)

// A sender makes single requests.
type sender struct {
	target     string
	extensions map[string]string // by header
	sign       func(*http.Request) error
	client     *http.Client
	turns      chan struct{} // as many as requests at once
	least      time.Duration // that a request lasts before it is given up
}

func newSender(c Config) (*sender, error) {
	extensions, err := c.extensions()
	if err != nil {
		return nil, err
	}
	s := &sender{target: c.URL, extensions: extensions, turns: make(chan struct{}, c.Concurrency), least: leastAttempt}
	if s.sign, err = (user.SourceConfig{TokenFile: c.TokenFile}).Signer(); err != nil {
		return nil, err
	}
	s.client = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots(c.CACerts)},
			TLSHandshakeTimeout:    dialTimeout,
			MaxIdleConns:           c.Concurrency,
			MaxIdleConnsPerHost:    c.Concurrency,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
		},
	}
	return s, nil
}

// roots are the authorities of the system and those of the sink; nil is those of the system.
func roots(certificates string) *x509.CertPool {
	if certificates == "" {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM([]byte(certificates))
	return pool
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// post sends the event of a record in binary content mode, if that can begin before the deadline. The request ends at the deadline too,
// but not before its least time, and with ctx. An error means that there was no response.
func (s *sender) post(ctx context.Context, deadline time.Time, record *kgo.Record) (response, error) {
	if err := s.turn(ctx, deadline); err != nil {
		return response{}, err
	}
	defer func() { <-s.turns }()
	if least := time.Now().Add(s.least); deadline.Before(least) {
		deadline = least
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	request, err := s.request(ctx, record)
	if err != nil {
		return response{}, err
	}
	answer, err := s.client.Do(request)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err // without the URL
		}
		return response{}, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxResponse)) // the status says it all
	return response{status: answer.StatusCode, after: header.RetryAfter(answer.Header)}, nil
}

// turn waits until not too many requests are on their way.
func (s *sender) turn(ctx context.Context, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// request writes a record as a request.
func (s *sender) request(ctx context.Context, record *kgo.Record) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.target, bytes.NewReader(record.Value))
	if err != nil {
		return nil, errors.New("the sink's URL is not valid")
	}
	for _, h := range record.Headers {
		if name, ok := strings.CutPrefix(h.Key, recordPrefix); ok {
			request.Header[headerName(name)] = []string{event.HeaderValue(string(h.Value))}
		} else if h.Key == "content-type" {
			request.Header["Content-Type"] = []string{string(h.Value)}
		}
	}
	for name, value := range maps.All(s.extensions) {
		request.Header[name] = []string{value}
	}
	if s.sign != nil {
		if err := s.sign(request); err != nil {
			return nil, err
		}
	}
	return request, nil
}
