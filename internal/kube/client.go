package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// Manager owns, in every object, the fields that this client has applied.
	Manager = "fairlead"

	maxAnswer = 8 << 20 // bytes of one answer
	pageSize  = 100     // objects of one answer to a list
	idleConns = 8
)

// A Client speaks with one API server about the objects of one namespace. It is safe for concurrent use.
type Client struct {
	server    string
	namespace string
	tokenFile string
	timeout   time.Duration
	http      *http.Client
	kinds     kinds
}

// New makes a client. It reads the certificates, and connects when it is first needed.
func New(c Config) (*Client, error) {
	server, err := c.server()
	if err != nil {
		return nil, err
	}
	namespace, err := c.namespace()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: c.Timeout, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: idleConns, ForceAttemptHTTP2: true,
	}
	if c.CAFile != "" && strings.HasPrefix(server, "https:") {
		if transport.TLSClientConfig.RootCAs, err = authorities(c.CAFile); err != nil {
			return nil, err
		}
	}
	return &Client{
		server: server, namespace: namespace, tokenFile: c.TokenFile, timeout: c.Timeout,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

func authorities(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("caFile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("caFile: holds no certificate in PEM")
	}
	return pool, nil
}

// Namespace is where the objects are.
func (c *Client) Namespace() string { return c.namespace }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Apply makes an object, or takes it to what is given, and returns it as it is then. Fields that another manager has set to
// something else are taken over.
func (c *Client) Apply(ctx context.Context, o Object) (applied Object, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("applying %v: %w", o, err)
	}
	query := url.Values{"fieldManager": {Manager}, "force": {"true"}}
	err = c.about(ctx, o.Kind(), o.Name(), query, request{method: http.MethodPatch, content: "application/apply-patch+yaml", body: body}, &applied)
	if err != nil {
		return nil, fmt.Errorf("applying %v: %w", o, err)
	}
	return applied, nil
}

// Get reads an object. One that is not there is an error that is NotFound.
func (c *Client) Get(ctx context.Context, k Kind, name string) (o Object, err error) {
	if err := c.about(ctx, k, name, nil, request{method: http.MethodGet}, &o); err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", k.Kind, name, err)
	}
	return o, nil
}

// List hands the objects of a kind that a label selector finds to a function, page after page, until that returns an error.
func (c *Client) List(ctx context.Context, k Kind, selector string, each func([]Object) error) error {
	query := url.Values{"labelSelector": {selector}, "limit": {strconv.Itoa(pageSize)}}
	for {
		var page struct {
			Metadata struct{ Continue string }
			Items    []Object
		}
		if err := c.about(ctx, k, "", query, request{method: http.MethodGet}, &page); err != nil {
			return fmt.Errorf("listing objects of kind %s: %w", k.Kind, err)
		}
		for _, o := range page.Items { // which lists leave out
			o["apiVersion"], o["kind"] = k.APIVersion, k.Kind
		}
		if err := each(page.Items); err != nil || page.Metadata.Continue == "" {
			return err
		}
		query.Set("continue", page.Metadata.Continue)
	}
}

// Delete deletes an object that was read, and no other one that has its name by now. That it is gone already is no error. It may
// still be there for a while.
func (c *Client) Delete(ctx context.Context, o Object) error { return c.delete(ctx, o, "Background") }

// DeleteWithDependents deletes an object as Delete does, which stays until what controllers have made for it is gone.
func (c *Client) DeleteWithDependents(ctx context.Context, o Object) error {
	return c.delete(ctx, o, "Foreground")
}

func (c *Client) delete(ctx context.Context, o Object, policy string) error {
	options := map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
	if uid := o.UID(); uid != "" {
		options["preconditions"] = map[string]any{"uid": uid}
	}
	body, err := json.Marshal(options)
	if err != nil {
		return fmt.Errorf("deleting %v: %w", o, err)
	}
	err = c.about(ctx, o.Kind(), o.Name(), nil, request{method: http.MethodDelete, content: "application/json", body: body}, nil)
	if at := code(err); err != nil && at != http.StatusNotFound && at != http.StatusConflict {
		return fmt.Errorf("deleting %v: %w", o, err)
	}
	return nil
}

// about does a request about an object, or about all of a kind.
func (c *Client) about(ctx context.Context, k Kind, name string, query url.Values, r request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	path, err := c.path(ctx, k, name)
	if err != nil {
		return err
	}
	r.path = path
	if len(query) > 0 {
		r.path += "?" + query.Encode()
	}
	return c.do(ctx, r, answer)
}

// A request is one to the API server.
type request struct {
	method, path, content string
	body                  []byte
}

// do sends a request and reads its answer, which is JSON; nil drops it.
func (c *Client) do(ctx context.Context, r request, answer any) error {
	sent, err := http.NewRequestWithContext(ctx, r.method, c.server+r.path, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	if r.content != "" {
		sent.Header.Set("Content-Type", r.content)
	}
	sent.Header.Set("Accept", "application/json")
	sent.Header.Set("User-Agent", Manager)
	if c.tokenFile != "" {
		token, err := os.ReadFile(c.tokenFile) // small, in memory, and replaced every hour
		if err != nil {
			return fmt.Errorf("reading the token of the service account: %w", err)
		}
		sent.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := c.http.Do(sent)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer of the API server: %w", err)
	case len(body) > maxAnswer:
		return fmt.Errorf("the API server answers with more than %d bytes", maxAnswer)
	case response.StatusCode < 200 || response.StatusCode > 299:
		return statusError(response.StatusCode, body)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("the API server's answer does not parse: %w", err)
	}
	return nil
}
