package http

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/assertion"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/test/authority"
	"github.com/fairlead/fairlead/test/neighbour"
)

// TestRequestsPass has requests and answers arrive as they were sent, with who the client is.
func TestRequestsPass(t *testing.T) {
	device := authority.New(t, "Devices").Issue("device", nil)
	type seen struct {
		Target, Body, Authorization string
		Chain                       int
	}
	got := make(chan seen, 1)
	f := start(t, function(t, func(w http.ResponseWriter, r *http.Request) {
		client, _, err := assertion.Of(r.Context())
		if err != nil {
			t.Error(err)
		}
		if host, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || host != "127.0.0.1" || r.RemoteAddr != client.Remote {
			t.Errorf("the client is at %q, %q", r.RemoteAddr, client.Remote)
		}
		if len(client.Chain) > 0 && !cmp.Equal(client.Chain, device.Certificate) {
			t.Error("another certificate arrives")
		}
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.RequestURI, string(body), r.Header.Get("Authorization"), len(client.Chain)}
		w.Header()["Content-Type"] = nil
		w.Header().Set("Command", "set")
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "payload")
	}).URL, nil)
	send := func(version int, want seen, path string, shown ...tls.Certificate) {
		t.Helper()
		response, body := f.send(f.client(version, shown...), path, want.Body, "Authorization", want.Authorization)
		if response.StatusCode != 200 || body != "payload" || response.Header.Get("Command") != "set" || response.Header.Get("Retry-After") != "2" {
			t.Errorf("%d %q %v", response.StatusCode, body, response.Header)
		}
		if _, typed := response.Header["Content-Type"]; typed || response.ProtoMajor != version {
			t.Errorf("%s with the headers %v", response.Proto, response.Header)
		}
		if diff := cmp.Diff(want, await(t, "the request", got)); diff != "" {
			t.Error(diff)
		}
	}
	for _, version := range []int{1, 2} {
		send(version, seen{Target: "/v1/a%2Fb/c?as=x&data_schema=urn%3Ax", Body: "1", Authorization: "Basic eA=="}, "/v1/a%2Fb/c?as=x&data_schema=urn%3Ax")
		send(version, seen{Target: "/v1/x?y=%zz;z&ct=1", Body: "", Chain: 1}, "/v1/x?y=%zz;z&ct=1", device)
		send(version, seen{Target: "/", Body: strings.Repeat("x", 200<<10), Chain: 1}, "/", device)
	}
}

// TestClientsSayNothingOfThemselves has what only gateways and proxies may say taken out.
func TestClientsSayNothingOfThemselves(t *testing.T) {
	headers := make(chan http.Header, 1)
	f := start(t, function(t, func(_ http.ResponseWriter, r *http.Request) {
		client, asserted, err := assertion.Of(r.Context())
		if !asserted || err != nil || len(client.Chain) > 0 || client.Identity != "" {
			t.Errorf("%v %v %+v", asserted, err, client)
		}
		headers <- r.Header
	}).URL, nil)
	forged := []string{
		"X-Fairlead-Identity", "1.2.x.psk.y.z", "X-Fairlead-Identity", "again", "X-Fairlead-Proof", "a proof", "X-Forwarded-Client-Cert", "Cert=x",
		"X-Forwarded-For", "192.0.2.1", "Forwarded", "for=192.0.2.1", "X-Forwarded-Proto", "http", "K-Network-Probe", "queue", "Knative-Serving-Revision", "x",
	}
	for _, version := range []int{1, 2} {
		f.send(f.client(version), "/v1/x", "", forged...)
		got := await(t, "the request", headers)
		for i := 0; i < len(forged); i += 2 {
			if values, there := got[forged[i]]; there {
				t.Errorf("%s arrives: %v", forged[i], values)
			}
		}
	}
	c := f.dial()
	c.say("POST /v1/x HTTP/1.1\r\nHost: x\r\nConnection: X-Fairlead-Identity, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" +
		"X-Fairlead-Identity: x\r\nContent-Length: 0\r\n\r\n")
	if status, _ := c.answer(); status != http.StatusOK {
		t.Errorf("a request for an upgrade is answered with %d", status)
	}
	if got := await(t, "the request", headers); got.Get("Upgrade") != "" || got.Get("Connection") != "" || got.Get("Http2-Settings") != "" {
		t.Errorf("an upgrade arrives: %v", got)
	}
}

// TestAmbiguousRequests has what two readers may understand differently be refused, or arrive in one form.
func TestAmbiguousRequests(t *testing.T) {
	bodies := make(chan string, 10)
	f := start(t, function(t, func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			bodies <- r.RequestURI + " " + string(body)
		}
	}).URL, nil)
	const begin = "POST /v1/x HTTP/1.1\r\nHost: x\r\n"
	refused := func(what, request string) {
		t.Helper()
		c := f.dial()
		c.say(request)
		if status, _ := c.answer(); status < 400 || status > 501 {
			t.Errorf("%s is answered with %d", what, status)
		}
		select {
		case body := <-bodies:
			t.Errorf("%s arrives: %q", what, body)
		default:
		}
	}
	refused("two lengths", begin+"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab")
	refused("a length with a sign", begin+"Content-Length: +1\r\n\r\na")
	refused("another coding", begin+"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n")
	refused("a folded coding", begin+"Transfer-Encoding:\r\n chunked\r\nX : y\r\n\r\n0\r\n\r\n")
	refused("a name with a space", begin+"X-Fairlead-Identity : x\r\nContent-Length: 0\r\n\r\n")
	refused("a header without a name", begin+": x\r\nContent-Length: 0\r\n\r\n")
	refused("a control character", begin+"X: a\x00b\r\nContent-Length: 0\r\n\r\n")
	refused("no host", "POST /v1/x HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
	refused("a chunk with a sign", begin+"Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n")
	c := f.dial()
	c.say(begin + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
	if status, _ := c.answer(); status == http.StatusOK {
		if got := await(t, "the request", bodies); got != "/v1/x a" {
			t.Errorf("a length beside a coding arrives as %q", got)
		}
	}
	c = f.dial()
	c.say(begin + "Content-Length: 1\r\n\r\naPOST /v1/second HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbc\r\n0\r\n\r\n")
	for _, want := range []string{"/v1/x a", "/v1/second bc"} {
		if status, _ := c.answer(); status != http.StatusOK {
			t.Errorf("one of two requests is answered with %d", status)
		}
		if got := await(t, "the request", bodies); got != want {
			t.Errorf("%q arrives, want %q", got, want)
		}
	}
}

// TestBodiesAreStreamed has the function read the first part of a body before the second is sent.
func TestBodiesAreStreamed(t *testing.T) {
	parts := make(chan string, 2)
	f := start(t, function(t, func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, len("first"))
		_, _ = io.ReadFull(r.Body, first)
		parts <- string(first)
		rest, _ := io.ReadAll(r.Body)
		parts <- string(rest)
		w.WriteHeader(http.StatusAccepted)
	}).URL, nil)
	for _, length := range []string{"Content-Length: 11", "Transfer-Encoding: chunked"} {
		c := f.dial()
		chunk := func(text string) string {
			if strings.HasPrefix(length, "Content") {
				return text
			}
			return string("0123456789"[len(text)]) + "\r\n" + text + "\r\n"
		}
		c.say("POST /v1/x HTTP/1.1\r\nHost: x\r\n" + length + "\r\n\r\n" + chunk("first"))
		if got := await(t, "the first part", parts); got != "first" {
			t.Errorf("the first part is %q", got)
		}
		c.say(chunk("second"))
		if !strings.HasPrefix(length, "Content") {
			c.say("0\r\n\r\n")
		}
		if status, _ := c.answer(); status != http.StatusAccepted {
			t.Errorf("answered with %d", status)
		}
		if got := await(t, "the second part", parts); got != "second" {
			t.Errorf("the second part is %q", got)
		}
	}
}

// TestExpectation has a function refuse a request before its body is sent.
func TestExpectation(t *testing.T) {
	f := start(t, function(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "refused") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	}).URL, nil)
	const rest = " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	c := f.dial()
	c.say("POST /v1/refused" + rest)
	if status, _ := c.answer(); status != http.StatusForbidden {
		t.Errorf("answered with %d", status)
	}
	c = f.dial()
	c.say("POST /v1/x" + rest)
	if status, _ := c.answer(); status != http.StatusContinue {
		t.Errorf("answered with %d", status)
	}
	c.say("body")
	status, _ := c.answer()
	for status == http.StatusContinue { // of the function, after that of the gateway
		status, _ = c.answer()
	}
	if status != http.StatusAccepted {
		t.Errorf("answered with %d", status)
	}
}

// TestClientsThatGo has the function hear that its client is gone.
func TestClientsThatGo(t *testing.T) {
	begun, gone := make(chan struct{}), make(chan error, 1)
	f := start(t, function(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		gone <- r.Context().Err()
	}).URL, nil)
	c := f.dial()
	c.say("POST /v1/x?ct=60 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	await(t, "the request", begun)
	_ = c.Close()
	if err := await(t, "the end of the request", gone); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestBodiesThatDoNotArrive has a client that ends its body too early be told, and none of it be taken for whole.
func TestBodiesThatDoNotArrive(t *testing.T) {
	read := make(chan error, 1)
	f := start(t, function(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	}).URL, nil)
	c := f.dial()
	c.say("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := await(t, "the function", read); err == nil {
		t.Error("the function takes the body for whole")
	}
}

// TestBounds has what is beyond a bound refused, and told.
func TestBounds(t *testing.T) {
	hold, begun := make(chan struct{}), make(chan struct{}, 10)
	release := sync.OnceFunc(func() { close(hold) })
	defer release()
	server := function(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			return
		}
		begun <- struct{}{}
		<-hold
		w.WriteHeader(http.StatusAccepted)
	})
	f := start(t, server.URL, func(c *Config) { c.MaxRequests, c.MaxBody = 1, 10 })
	report := func(what string, want outcome.Outcome, answer string) {
		t.Helper()
		if got := await(t, "the report of "+what, f.reports); got.Outcome != want || got.Answer != answer || got.Remote == "" || got.Where != "POST /v1/x" {
			t.Errorf("%s is reported as %+v", what, got)
		}
	}
	client := f.client(1)
	if response, _ := f.send(client, "/v1/x", "more than ten"); response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", response.StatusCode)
	}
	report("a large body", outcome.TooLarge, "413")
	c := f.dial()
	c.say("POST /v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nd\r\nmore than ten\r\n0\r\n\r\n")
	if status, _ := c.answer(); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large in chunks: %d", status)
	}
	_ = c.Close()
	report("a large body in chunks", outcome.TooLarge, "413")

	first := f.dial()
	first.say("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	await(t, "the first request", begun)
	if response, _ := f.send(client, "/v1/x", ""); response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("beside another request: %d", response.StatusCode)
	}
	report("a second request", outcome.Overloaded, "503")
	release()
	if status, _ := first.answer(); status != http.StatusAccepted {
		t.Errorf("the first request: %d", status)
	}
}

// TestConnectionsAreBounded has one beyond the bound closed, and the next served when there is room again.
func TestConnectionsAreBounded(t *testing.T) {
	f := start(t, function(t, func(http.ResponseWriter, *http.Request) {}).URL, func(c *Config) { c.MaxConnections = 1 })
	first := f.dial()
	if !first.served() {
		t.Error("the first connection is not served")
	}
	if f.dial().served() {
		t.Error("a connection beyond the bound is served")
	}
	_ = first.Close()
	neighbour.Eventually(t, "room for another connection", func() bool {
		next := f.dial()
		defer next.Close()
		return next.served()
	})
}

// TestCertificatesAreBounded has a client refused whose chain is longer than any that admits a device.
func TestCertificatesAreBounded(t *testing.T) {
	f := start(t, function(t, func(http.ResponseWriter, *http.Request) { t.Error("the request arrives") }).URL, nil)
	device := authority.New(t, "Devices").Issue("device", nil)
	for len(device.Certificate) < 20 {
		device.Certificate = append(device.Certificate, device.Certificate[0])
	}
	if response, _ := f.send(f.client(1, device), "/v1/x", ""); response.StatusCode != http.StatusForbidden {
		t.Errorf("answered with %d", response.StatusCode)
	}
}

// TestRefusedClientsComeAgain has the connection closed of a client whose certificate is refused, and of nobody else.
func TestRefusedClientsComeAgain(t *testing.T) {
	f := start(t, function(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }).URL, nil)
	device := authority.New(t, "Devices").Issue("device", nil)
	check := func(what string, want bool, path string, shown ...tls.Certificate) {
		t.Helper()
		if response, _ := f.send(f.client(1, shown...), path, ""); response.StatusCode != http.StatusForbidden || response.Close != want {
			t.Errorf("%s: %d, closed %v", what, response.StatusCode, response.Close)
		}
	}
	check("a certificate", true, "/v1/x", device)
	check("a certificate for another device", false, "/v1/x?as=y", device)
	check("nothing", false, "/v1/x")
}

// TestDrain has requests on their way be answered, and none taken any more.
func TestDrain(t *testing.T) {
	hold, begun := make(chan struct{}), make(chan struct{})
	f := start(t, function(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-hold
		w.WriteHeader(http.StatusAccepted)
	}).URL, nil)
	c := f.dial()
	c.say("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	await(t, "the request", begun)
	ended := make(chan error, 1)
	go func() { ended <- f.stop() }()
	for end := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", f.address)
		if err != nil {
			break
		}
		_ = conn.Close()
		if time.Now().After(end) {
			t.Fatal("the gateway goes on listening")
		}
	}
	select {
	case err := <-ended:
		t.Fatalf("the gateway ends before its request is answered: %v", err)
	default:
	}
	close(hold)
	if status, _ := c.answer(); status != http.StatusAccepted {
		t.Errorf("answered with %d", status)
	}
	if err := await(t, "the end", ended); err != nil {
		t.Error(err)
	}
}

// TestDrainIsBounded has the gateway end while a request is not answered.
func TestDrainIsBounded(t *testing.T) {
	begun := make(chan struct{})
	f := start(t, function(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	}).URL, func(c *Config) { c.DrainTimeout = 0 })
	c := f.dial()
	c.say("POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	await(t, "the request", begun)
	if err := f.stop(); err != nil {
		t.Error(err)
	}
}
