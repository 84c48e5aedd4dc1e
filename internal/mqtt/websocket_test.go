package mqtt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A webWorld has a server that is reached by WebSocket.
type webWorld struct {
	*testing.T
	gateway *gateway
	server  *Server
	http    *httptest.Server
}

func newWebWorld(t *testing.T, change func(*Config), start func(*httptest.Server)) *webWorld {
	t.Helper()
	c := DefaultConfig()
	if change != nil {
		change(&c)
	}
	w := &webWorld{T: t, gateway: &gateway{}}
	w.server = NewServer(c, w.gateway, nil)
	w.http = httptest.NewUnstartedServer(w.server.WebSocket())
	start(w.http)
	t.Cleanup(w.http.Close)
	t.Cleanup(func() {
		if err := w.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// dial opens a WebSocket.
func (w *webWorld) dial(path string, protocols ...string) *websocket.Conn {
	w.Helper()
	ws, _, err := websocket.Dial(w.Context(), w.http.URL+path, &websocket.DialOptions{
		Subprotocols: protocols,
		HTTPClient:   w.http.Client(),
		HTTPHeader:   http.Header{"Origin": {"https://elsewhere.example"}},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

func (w *webWorld) send(ws *websocket.Conn, message []byte) {
	w.Helper()
	if err := ws.Write(w.Context(), websocket.MessageBinary, message); err != nil {
		w.Fatal(err)
	}
}

// expect reads messages until they hold what is wanted.
func (w *webWorld) expect(ws *websocket.Conn, want []byte) {
	w.Helper()
	var got []byte
	for len(got) < len(want) {
		kind, message, err := ws.Read(w.Context())
		if err != nil || kind != websocket.MessageBinary {
			w.Fatalf("%v, %v", kind, err)
		}
		got = append(got, message...)
	}
	if !bytes.Equal(got, want) {
		w.Fatalf("got % x, want % x", got, want)
	}
}

func TestWebSocket(t *testing.T) {
	for name, protocols := range map[string][]string{"mqtt": {"other", "mqtt"}, "": nil} {
		for _, path := range []string{"/", "/mqtt", "/any/path?x=y"} {
			w := newWebWorld(t, nil, (*httptest.Server).Start)
			ws := w.dial(path, protocols...)
			if ws.Subprotocol() != name {
				t.Errorf("the subprotocol is %q, not %q", ws.Subprotocol(), name)
			}
			w.send(ws, hello{version: packet.V311, flags: 2, id: "me"}.bytes())
			w.expect(ws, []byte{0x20, 2, 0, 0})
			w.send(ws, publication(packet.V311, 7, "t", strings.Repeat("x", 70_000)))
			w.expect(ws, puback(7))
			if got := w.gateway.all()[0].conn.Remote(); got != "127.0.0.1" {
				t.Errorf("the client's address is %s", got)
			}
			w.gateway.all()[0].conn.Deliver(&packet.Publish{Topic: "t", Payload: []byte("on")})
			w.expect(ws, frame(0x30, text("t"), []byte("on")))
			w.send(ws, frame(0xE0))
			if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("closed with %v", err)
			}
		}
	}
}

// A packet may lie in several messages, and a message may have several packets (section 6).
func TestWebSocketFramesAreNoPackets(t *testing.T) {
	stream := bytes.Join([][]byte{
		hello{version: packet.V311, flags: 2, id: "me"}.bytes(),
		publication(packet.V311, 1, "t", strings.Repeat("x", 300)),
		publication(packet.V311, 2, "t", ""),
		frame(0xC0),
	}, nil)
	want := bytes.Join([][]byte{{0x20, 2, 0, 0}, puback(1), puback(2), {0xD0, 0}}, nil)
	for _, size := range []int{1, 2, 3, 100, 257, len(stream)} {
		w := newWebWorld(t, nil, (*httptest.Server).Start)
		ws := w.dial("/", "mqtt")
		for rest := stream; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			w.send(ws, rest[:min(size, len(rest))])
			w.send(ws, nil)
		}
		w.expect(ws, want)
	}
}

// A message may come in many fragments, which is not the same thing.
func TestWebSocketFragments(t *testing.T) {
	w := newWebWorld(t, nil, (*httptest.Server).Start)
	ws := w.dial("/", "mqtt")
	fragments, err := ws.Writer(t.Context(), websocket.MessageBinary)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range (hello{version: packet.V311, flags: 2, id: "me"}).bytes() {
		if _, err := fragments.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if err := fragments.Close(); err != nil {
		t.Fatal(err)
	}
	w.expect(ws, []byte{0x20, 2, 0, 0})
}

func TestWebSocketRefusesText(t *testing.T) {
	w := newWebWorld(t, nil, (*httptest.Server).Start)
	ws := w.dial("/", "mqtt")
	w.send(ws, hello{version: packet.V5, flags: 2, id: "me"}.bytes())
	if _, _, err := ws.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(t.Context(), websocket.MessageText, frame(0xC0)); err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := ws.Read(t.Context()); err != nil {
			break
		}
	}
	waitFor(t, func() bool { return len(w.gateway.all()[0].ends()) == 1 })
}

func TestWebSocketRefusesHugeMessages(t *testing.T) {
	w := newWebWorld(t, nil, (*httptest.Server).Start)
	ws := w.dial("/", "mqtt")
	w.send(ws, hello{version: packet.V311, flags: 2, id: "me"}.bytes())
	w.expect(ws, []byte{0x20, 2, 0, 0})
	go func() {
		_ = ws.Write(t.Context(), websocket.MessageBinary, bytes.Repeat(publication(packet.V311, 0, "t", "x"), 1<<18))
	}()
	for {
		if _, _, err := ws.Read(t.Context()); err != nil {
			break
		}
	}
	waitFor(t, func() bool { return len(w.gateway.all()[0].ends()) == 1 })
}

func TestNoWebSocket(t *testing.T) {
	w := newWebWorld(t, nil, (*httptest.Server).Start)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r, err := http.NewRequestWithContext(t.Context(), method, w.http.URL+"/mqtt", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := w.http.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound || len(body) == 0 || len(body) > 200 {
			t.Errorf("%d %q", response.StatusCode, body)
		}
	}
	for upgrade, status := range map[string]int{"h2c": http.StatusUpgradeRequired, "websocket": http.StatusBadRequest} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.http.URL, nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", upgrade)
		response, err := w.http.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("upgrade to %s: %d", upgrade, response.StatusCode)
		}
	}
	if admitted, unadmitted := w.server.limits.count(); admitted != 0 || unadmitted != 0 {
		t.Errorf("%d connections are admitted, %d are not", admitted, unadmitted)
	}
}

func TestWebSocketHasLimits(t *testing.T) {
	w := newWebWorld(t, func(c *Config) { c.MaxUnadmitted = 1 }, (*httptest.Server).Start)
	first := w.dial("/", "mqtt")
	_, response, err := websocket.Dial(t.Context(), w.http.URL, nil)
	if err == nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a connection beyond the limit: %v", err)
	}
	w.send(first, hello{version: packet.V311, flags: 2, id: "me"}.bytes())
	w.expect(first, []byte{0x20, 2, 0, 0})
}

func TestWebSocketAfterShutdown(t *testing.T) {
	c := DefaultConfig()
	s := NewServer(c, &gateway{}, nil)
	web := httptest.NewServer(s.WebSocket())
	defer web.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ws, _, err := websocket.Dial(t.Context(), web.URL, nil)
	if err != nil {
		return // also fine
	}
	if _, _, err := ws.Read(t.Context()); err == nil {
		t.Error("the connection is open")
	}
}

func TestWebSocketCertificate(t *testing.T) {
	certificate := selfSigned(t, "device 1")
	w := newWebWorld(t, nil, func(s *httptest.Server) {
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		s.StartTLS()
		s.Client().Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{certificate}
	})
	ws := w.dial("/", "mqtt")
	w.send(ws, hello{version: packet.V311, flags: 2, id: "me"}.bytes())
	w.expect(ws, []byte{0x20, 2, 0, 0})
	if peers := w.gateway.all()[0].conn.TLS().Chain; len(peers) != 1 || !bytes.Contains(peers[0], []byte("device 1")) {
		t.Errorf("the client shows %d certificates", len(peers))
	}
}

// The deadlines of a WebSocket are those of the connection below.
func TestWebSocketKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(DefaultConfig(), &gateway{}, nil)
		l := newPipes()
		web := &http.Server{Handler: s.WebSocket(), ReadHeaderTimeout: time.Second}
		go func() { _ = web.Serve(l) }()
		mine, theirs := net.Pipe()
		l.conns <- theirs
		ws, _, err := websocket.Dial(t.Context(), "ws://server/", &websocket.DialOptions{HTTPClient: &http.Client{
			Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return mine, nil }},
		}})
		if err != nil {
			t.Fatal(err)
		}
		link := websocket.NetConn(context.Background(), ws, websocket.MessageBinary)
		c := &client{tb: t, version: packet.V5, link: link, in: bufio.NewReader(link)}
		c.send(hello{version: packet.V5, flags: 2, keepAlive: 100, id: "me"}.bytes())
		c.receive()
		time.Sleep(149 * time.Second) // in the bubble
		c.send(frame(0xC0))
		c.expect([]byte{0xD0, 0})
		started := time.Now()
		c.expectDisconnect(packet.KeepAliveTimeout)
		if took := time.Since(started); took < 150*time.Second || took > 160*time.Second {
			t.Errorf("disconnected after %v", took)
		}
		_ = web.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// What a client sends together with its request is not lost.
func TestWebSocketEarlyBytes(t *testing.T) {
	w := newWebWorld(t, nil, (*httptest.Server).Start)
	link, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	connect := hello{version: packet.V311, flags: 2, id: "me"}.bytes()
	request := "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	masked := []byte{0x82, 0x80 | byte(len(connect)), 0, 0, 0, 0} // with zeros, so that the message stays as it is
	if _, err := link.Write(slices.Concat([]byte(request), masked, connect)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(link)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(response, err)
	}
	got := make([]byte, 6)
	if _, err := io.ReadFull(in, got); err != nil || !bytes.Equal(got, []byte{0x82, 4, 0x20, 2, 0, 0}) {
		t.Errorf("% x, %v", got, err)
	}
}
