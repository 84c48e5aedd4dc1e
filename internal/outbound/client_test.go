package outbound

import (
	"bufio"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/neighbour"

	"github.com/fairlead/fairlead/internal/registry"
)

func TestRequest(t *testing.T) {
	var got *http.Request
	var body string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		got, body = r, string(content)
		w.WriteHeader(http.StatusAccepted)
	})
	client := newClient(t, local())
	f := func(e registry.ExternalEndpoint, want map[string]string) {
		t.Helper()
		e.URL = server.URL + "/a/b?c=d"
		r, err := send(client, e)
		if err != nil || !r.OK() || body != "body" || got.URL.String() != "/a/b?c=d" {
			t.Fatalf("%+v: %v, %v, %q", e, r, err, body)
		}
		if want["method"] == "" {
			want["method"] = "POST"
		}
		got.Header.Set("method", got.Method)
		got.Header.Set("host", got.Host)
		for name, value := range want {
			if strings.Join(got.Header.Values(name), ",") != value {
				t.Errorf("%s: got %q, want %q", name, got.Header.Values(name), value)
			}
		}
	}
	host := strings.TrimPrefix(server.URL, "http://")
	f(registry.ExternalEndpoint{}, map[string]string{"Authorization": "", "Content-Type": "text/plain", "User-Agent": "fairlead", "host": host})
	f(registry.ExternalEndpoint{Method: "PUT"}, map[string]string{"method": "PUT"})
	f(registry.ExternalEndpoint{Auth: registry.EndpointAuth{Basic: &registry.BasicAuth{Username: "u", Password: "p"}}}, map[string]string{"Authorization": "Basic dTpw"})
	f(registry.ExternalEndpoint{Auth: registry.EndpointAuth{Bearer: &registry.BearerAuth{Token: "t"}}}, map[string]string{"Authorization": "Bearer t"})
	f(registry.ExternalEndpoint{Headers: []registry.EndpointHeader{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}, {Name: "Authorization", Value: "Key k"}}},
		map[string]string{"X-A": "1,2", "Authorization": "Key k"})
	f(registry.ExternalEndpoint{Headers: []registry.EndpointHeader{
		{Name: "Host", Value: "other.example"}, {Name: "Content-Type", Value: "x"}, {Name: "Ce-Id", Value: "x"}, {Name: "Content-Length", Value: "1"}, {Name: "Transfer-Encoding", Value: "chunked"}, {Name: "a b", Value: "x"}, {Name: "X", Value: "a\r\nY: b"},
	}}, map[string]string{"host": host, "Content-Type": "text/plain", "Ce-Id": "", "X": "", "Y": ""})
}

func TestStatuses(t *testing.T) {
	client := newClient(t, local())
	for _, status := range []int{200, 201, 204, 304, 400, 401, 404, 409, 429, 503} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		})
		r, err := send(client, registry.ExternalEndpoint{URL: server.URL})
		if err != nil || r.Status != status || r.OK() != (status < 300) || r.Header.Get("Retry-After") != "7" {
			t.Errorf("%d: %+v, %v", status, r, err)
		}
	}
}

// TestHugeResponse has an endpoint that never ends what it says.
func TestHugeResponse(t *testing.T) {
	gone := make(chan struct{})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	c := local()
	c.MaxResponse = 1000
	r, err := send(newClient(t, c), registry.ExternalEndpoint{URL: server.URL})
	if err != nil || !r.OK() || len(r.Body) != 1000 {
		t.Fatalf("%v, %v", r, err)
	}
	<-gone // the rest is not waited for
}

func TestHugeHeader(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 2*maxResponseHeader))
	})
	r, err := send(newClient(t, local()), registry.ExternalEndpoint{URL: server.URL})
	expect(t, Failed, r, err)
}

func TestSlowPeers(t *testing.T) {
	c := local()
	c.Timeout = 200 * time.Millisecond
	client := newClient(t, c)
	never := make(chan struct{})
	defer close(never)
	f := func(serve func(net.Conn)) {
		t.Helper()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				go serve(conn)
			}
		}()
		r, err := send(client, registry.ExternalEndpoint{URL: "http://" + listener.Addr().String()})
		expect(t, TimeOut, r, err)
	}
	f(func(conn net.Conn) { // which is closed as garbage where nothing refers to it
		<-never
		_ = conn.Close()
	})
	f(func(conn net.Conn) { // one byte of a header at a time
		_, _ = http.ReadRequest(bufio.NewReader(conn))
		for {
			if _, err := conn.Write([]byte("H")); err != nil {
				return
			}
			select {
			case <-never:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	// What is said at once counts, however long the rest takes.
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		untilGone(r)
	})
	if r, err := send(client, registry.ExternalEndpoint{URL: server.URL}); err != nil || !r.OK() {
		t.Errorf("%v, %v", r, err)
	}
}

// untilGone waits until the client goes away, which the server notices once the body is read.
func untilGone(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func TestTimeoutOfTheEndpoint(t *testing.T) {
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { untilGone(r) })
	client := newClient(t, local())
	r, err := send(client, registry.ExternalEndpoint{URL: server.URL, Timeout: registry.Span(20 * time.Millisecond)})
	expect(t, TimeOut, r, err)
	c := local()
	c.Timeout, c.MaxTimeout = 100*time.Millisecond, 100*time.Millisecond
	r, err = send(newClient(t, c), registry.ExternalEndpoint{URL: server.URL, Timeout: registry.Span(time.Hour)})
	expect(t, TimeOut, r, err)
}

func TestCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	defer server.Close()
	server.Config.ErrorLog = nil
	client := newClient(t, local())
	f := func(trust registry.EndpointTLS, want bool) {
		t.Helper()
		r, err := send(client, registry.ExternalEndpoint{URL: server.URL, TLS: trust})
		if want && (err != nil || !r.OK()) {
			t.Errorf("%v: %v, %v", trust.Insecure, r, err)
		}
		if !want {
			expect(t, Failed, r, err)
		}
	}
	f(registry.EndpointTLS{}, false)
	f(registry.EndpointTLS{Insecure: true}, true)
	f(registry.EndpointTLS{}, false)
	f(registry.EndpointTLS{Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))}, true)
	f(registry.EndpointTLS{}, false)
}

func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	r, err := send(newClient(t, local()), registry.ExternalEndpoint{URL: "http://u:hunter2@" + listener.Addr().String() + "/?token=hunter2"})
	if failed := expect(t, Failed, r, err); strings.Contains(failed.Error(), "hunter2") || !strings.Contains(failed.Error(), "refused") {
		t.Error(failed)
	}
}

func TestWithoutARequest(t *testing.T) {
	r, err := send(newClient(t, local()), registry.ExternalEndpoint{URL: "http://u:hunter2@[/"})
	if failed := expect(t, Invalid, r, err); strings.Contains(failed.Error(), "hunter2") {
		t.Error(failed)
	}
	r, err = send(newClient(t, local()), registry.ExternalEndpoint{URL: "https://a.example", TLS: registry.EndpointTLS{Certificate: "x"}})
	expect(t, Invalid, r, err)
}

// TestBreaker has an endpoint fail until it is left alone, and come back.
func TestBreaker(t *testing.T) {
	var reached atomic.Int64
	var status atomic.Int64
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.WriteHeader(int(status.Load()))
	})
	c := local()
	c.Failures, c.Pause = 3, 100*time.Millisecond
	client := newClient(t, c)
	endpoint := registry.ExternalEndpoint{URL: server.URL}

	status.Store(http.StatusTooManyRequests) // is an answer of one that works
	for range 2 * c.Failures {
		if r, err := send(client, endpoint); err != nil || r.Status != http.StatusTooManyRequests {
			t.Fatalf("%v, %v", r, err)
		}
	}
	status.Store(http.StatusBadGateway)
	reached.Store(0)
	for range c.Failures {
		if r, err := send(client, endpoint); err != nil || r.Status != http.StatusBadGateway {
			t.Fatalf("%v, %v", r, err)
		}
	}
	r, err := send(client, endpoint)
	if failed := expect(t, Paused, r, err); failed.After < time.Second {
		t.Errorf("come back after %v", failed.After)
	}
	if n := reached.Load(); n != int64(c.Failures) {
		t.Errorf("%d requests, want %d", n, c.Failures)
	}
	// Neither other owners nor other endpoints are held up.
	if r, err := client.Send(context.Background(), Call{Owner: "other", Endpoint: &endpoint}); err != nil || r.Status != http.StatusBadGateway {
		t.Errorf("another owner: %v, %v", r, err)
	}
	changed := endpoint
	changed.Auth.Bearer = &registry.BearerAuth{Token: "t"}
	if r, err := send(client, changed); err != nil || r.Status != http.StatusBadGateway {
		t.Errorf("changed: %v, %v", r, err)
	}
	status.Store(http.StatusOK)
	neighbour.Eventually(t, "the endpoint to be tried again", func() bool {
		r, err := send(client, endpoint)
		return err == nil && r.OK()
	})
}

// TestGivenUp has callers give up; that says nothing about the endpoint.
func TestGivenUp(t *testing.T) {
	arrived := make(chan struct{})
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		untilGone(r)
	})
	c := local()
	c.Failures = 1
	client := newClient(t, c)
	for range 3 {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-arrived
			cancel()
		}()
		r, err := client.Send(ctx, Call{Owner: "app", Endpoint: &registry.ExternalEndpoint{URL: server.URL}})
		expect(t, TimeOut, r, err)
	}
}

func TestConcurrency(t *testing.T) {
	release := make(chan struct{})
	var under, most atomic.Int64
	server := serve(t, func(http.ResponseWriter, *http.Request) {
		n := under.Add(1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		<-release
		under.Add(-1)
	})
	c := local()
	c.Concurrency, c.MaxWaiting = 3, 4
	client := newClient(t, c)
	endpoint := registry.ExternalEndpoint{URL: server.URL}
	results := make(chan error, 20)
	post := func() {
		_, err := send(client, endpoint)
		results <- err
	}
	for range c.Concurrency {
		go post()
	}
	neighbour.Eventually(t, "requests to arrive", func() bool { return under.Load() == int64(c.Concurrency) })
	e, err := client.endpoint(Call{Owner: "app", Endpoint: &endpoint})
	if err != nil {
		t.Fatal(err)
	}
	for range c.MaxWaiting {
		go post()
	}
	neighbour.Eventually(t, "requests to wait", func() bool { return e.waiting.Load() == int64(c.MaxWaiting) })
	r, err := send(client, endpoint)
	if failed := expect(t, Busy, r, err); failed.After <= 0 {
		t.Errorf("come back after %v", failed.After)
	}
	close(release)
	for range c.Concurrency + c.MaxWaiting {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := most.Load(); n > int64(c.Concurrency) {
		t.Errorf("%d requests at once", n)
	}
}

// TestForgets has more endpoints than are remembered.
func TestForgets(t *testing.T) {
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := local()
	c.MaxEndpoints = 2
	client := newClient(t, c)
	for i := range 10 {
		if r, err := send(client, registry.ExternalEndpoint{URL: fmt.Sprintf("%s/%d", server.URL, i)}); err != nil || !r.OK() {
			t.Errorf("%v, %v", r, err)
		}
	}
	if n := client.remember.Len(); n != c.MaxEndpoints {
		t.Errorf("%d are remembered", n)
	}
}
