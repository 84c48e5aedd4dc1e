package http

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/outcome"
)

// asleep is an address at which nobody listens.
func asleep(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// A watched transport tells of each attempt that has failed.
type watched struct {
	http.RoundTripper
	failed chan error
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		w.failed <- err
	}
	return response, err
}

// ownUpstream is one whose attempts are watched, and a request of a client to an address.
func ownUpstream(t *testing.T, address string, patience time.Duration) (watched, *upstream, *http.Request) {
	t.Helper()
	signer, err := assertion.NewSigner(assertion.Config{Keys: []string{testKey}})
	if err != nil {
		t.Fatal(err)
	}
	u := newUpstream(Config{WakeTimeout: patience}, signer, newMetrics(func() int64 { return 0 }))
	w := watched{u.next, make(chan error, 1000)}
	u.next = w
	statement, err := assertion.State(assertion.Client{Remote: "192.0.2.1:5"})
	if err != nil {
		t.Fatal(err)
	}
	client := &connection{statement: statement}
	client.once.Do(func() {}) // its handshake is over
	r, err := http.NewRequestWithContext(context.WithValue(t.Context(), connectionKey{}, client), http.MethodPost, "http://"+address+"/v1/x", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	return w, u, r
}

// TestFunctionsMayBeAsleep has a request wait until somebody listens, with its body untouched.
func TestFunctionsMayBeAsleep(t *testing.T) {
	address := asleep(t)
	w, u, r := ownUpstream(t, address, patience)
	bodies := make(chan string, 1)
	server := &http.Server{Handler: assertion.NewVerifier(assertion.Config{Keys: []string{testKey}}).Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, asserted, err := assertion.Of(r.Context()); !asserted || err != nil {
			t.Errorf("the client: %v %v", asserted, err)
		}
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		<-w.failed
		<-w.failed
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		_ = server.Serve(listener)
	}()
	response, err := u.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := await(t, "the body", bodies); response.StatusCode != http.StatusOK || got != "body" {
		t.Errorf("%d, the body is %q", response.StatusCode, got)
	}
}

// TestWaitingForFunctionsIsBounded has a request give up, and its client be told to come back.
func TestWaitingForFunctionsIsBounded(t *testing.T) {
	_, u, r := ownUpstream(t, asleep(t), 0)
	if _, err := u.RoundTrip(r); err == nil || !refusedConnection(err) {
		t.Errorf("ended with %v", err)
	}
	f := start(t, "http://"+asleep(t), func(c *Config) { c.WakeTimeout = 0 })
	response, body := f.send(f.client(1), "/v1/x", "body")
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || !strings.Contains(body, "ServiceUnavailable") {
		t.Errorf("%d %v %s", response.StatusCode, response.Header, body)
	}
	if got := await(t, "the report", f.reports); got.Outcome != outcome.Unavailable || got.Answer != "503" {
		t.Errorf("reported as %+v", got)
	}
}

// TestWhatWasSentIsNotSentAgain has a function break off when it has a request, which may have done its work.
func TestWhatWasSentIsNotSentAgain(t *testing.T) {
	requests := make(chan string, 10)
	server := function(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- string(body)
		panic(http.ErrAbortHandler)
	})
	w, u, r := ownUpstream(t, strings.TrimPrefix(server.URL, "http://"), patience)
	if _, err := u.RoundTrip(r); err == nil {
		t.Error("it has an answer")
	}
	await(t, "the request", requests)
	await(t, "its failure", w.failed)
	if len(requests) > 0 || len(w.failed) > 0 {
		t.Error("the request is sent again")
	}
}

func TestBodyIsGivenAgainUntilItIsRead(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	b := &body{from: strings.NewReader("body")}
	b.into(r)
	_ = r.Body.Close()
	again, err := r.GetBody()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(again); err != nil || string(text) != "body" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := r.GetBody(); !errors.Is(err, errBegun) {
		t.Errorf("given again with %v", err)
	}
}
