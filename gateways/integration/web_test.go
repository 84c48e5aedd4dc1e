package integration

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/test/neighbour"
)

// dial opens a WebSocket; path may have a query.
func (w *world) dial(path string, header ...string) *websocket.Conn {
	w.Helper()
	options := &websocket.DialOptions{HTTPHeader: http.Header{}}
	for i := 0; i+1 < len(header); i += 2 {
		options.HTTPHeader.Add(header[i], header[i+1])
	}
	conn, _, err := websocket.Dial(w.Context(), "ws://"+w.web+path, options)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func (w *world) read(conn *websocket.Conn) string {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	kind, text, err := conn.Read(ctx)
	if err != nil {
		w.Fatal(err)
	}
	if kind != websocket.MessageText {
		w.Errorf("a message of kind %v", kind)
	}
	return string(text)
}

func (w *world) send(conn *websocket.Conn, text string) {
	w.Helper()
	if err := conn.Write(w.Context(), websocket.MessageText, []byte(text)); err != nil {
		w.Fatal(err)
	}
}

// closed expects the end of a WebSocket.
func (w *world) closed(conn *websocket.Conn, want websocket.StatusCode) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	for {
		_, _, err := conn.Read(ctx)
		var end websocket.CloseError
		if errors.As(err, &end) {
			if end.Code != want {
				w.Errorf("closed with %d %s, want %d", end.Code, end.Reason, want)
			}
			return
		}
		if err != nil {
			w.Fatal(err)
		}
	}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestFourWaysToAuthenticate(t *testing.T) {
	w := newWorld(t, nil)
	all := []*websocket.Conn{
		w.dial("/plant", "Authorization", "Bearer ada"),
		w.dial("/plant", "Authorization", basic("ada", "ada")),
		w.dial("/plant?token=ada"),
		w.dial("/plant/temp?username=ada&api_key=ada"),
	}
	w.produce(deviceEvent("1", "temp", "d"))
	for _, conn := range all {
		same(t, w.read(conn), structured("1", "temp", "d"))
	}
}

func TestFilteredByPathAndQuery(t *testing.T) {
	w := newWorld(t, nil)
	conn := w.dial("/plant/a/b?token=ada&device=d&group_id=g")
	w.produce(deviceEvent("1", "a", "d"), deviceEvent("2", "a/b", "e"), deviceEvent("3", "a/b", "d"))
	same(t, w.read(conn), structured("3", "a/b", "d"))
}

// ask sends a request without a body. The caller closes the answer's.
func (w *world) ask(method, path string, header ...string) *http.Response {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), method, "http://"+w.web+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	return response
}

// answer asks with GET and tells status and body.
func (w *world) answer(path string, header ...string) (int, string) {
	w.Helper()
	response := w.ask(http.MethodGet, path, header...)
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func TestRefusedRequests(t *testing.T) {
	w := newWorld(t, nil)
	f := func(path string, status int, body string, header ...string) {
		t.Helper()
		got, text := w.answer(path, header...)
		if got != status || !strings.Contains(text, body) {
			t.Errorf("%s: %d %s, want %d %s", path, got, text, status, body)
		}
	}
	f("/plant?token=bob", 404, `"message":"Resource not found: Application / plant"`)
	f("/nowhere?token=bob", 404, `"message":"Resource not found: Application / nowhere"`)
	f("/No%2Fwhere?token=bob", 404, "")
	f("/", 404, "")
	f("/plant", 404, "")
	f("/plant?token=eve", 403, "Forbidden")
	f("/plant?token=ada", 403, "More than one way", "Authorization", "Bearer ada")
	f("/plant?token=ada&from=yesterday", 400, "from")
	f("/plant?token=ada&group_id=a%20b", 400, "group_id")
	f("/plant?token=ada&group_id=a&group_id=b", 400, "group_id")
	f("/plant?token=ada&acknowledge=true", 400, "acknowledge")
	f("/plant?token=ada&acknowledge=true&window=0", 400, "window")
	f("/plant?token=ada", 400, "Last-Event-ID", "Last-Event-ID", "x")
	f("/plant?token=ada", 403, "", "Authorization", "Digest x")
}

// Pages of other origins read what they have a credential for. What is public they read only if they are named, and then they are told
// that they may.
func TestPagesOfOtherOrigins(t *testing.T) {
	const named, other = "https://console.example.com", "https://evil.example.com"
	w := newWorld(t, func(c *Config) { c.Web.Origins = []string{named} })
	f := func(origin, path string, status int, allowed string) {
		t.Helper()
		answer := w.ask(http.MethodGet, path, "Origin", origin)
		defer answer.Body.Close()
		if got := answer.Header.Get("Access-Control-Allow-Origin"); answer.StatusCode != status || got != allowed {
			t.Errorf("%s asks for %s: %s for %q, want %d for %q", origin, path, answer.Status, got, status, allowed)
		}
		socket, refused, err := websocket.Dial(w.Context(), "ws://"+w.web+path, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if err == nil {
			_ = socket.CloseNow()
		}
		if (err == nil) != (status == http.StatusOK) || err != nil && refused.StatusCode != status {
			t.Errorf("%s opens a WebSocket to %s: %v", origin, path, err)
		}
	}
	f(named, "/plant?token=ada", 200, named)
	f(named, "/plant", 404, named)
	f(named, "/public", 200, named)
	f(other, "/plant?token=ada", 200, "")
	f(other, "/plant", 403, "")
	f(other, "/public", 403, "")
	f("null", "/public", 403, "")
	f("http://"+w.web, "/public", 200, "")
	preflight := w.ask(http.MethodOptions, "/plant", "Origin", named, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization")
	defer preflight.Body.Close()
	if h := preflight.Header; preflight.StatusCode != 204 || h.Get("Access-Control-Allow-Methods") != "GET" || h.Get("Access-Control-Allow-Headers") != "Authorization, Last-Event-ID" {
		t.Errorf("a preflight: %s, %v", preflight.Status, h)
	}
}

func TestTokenIsRefreshed(t *testing.T) {
	w := newWorld(t, nil)
	w.people.until = time.Now().Add(2 * time.Second)
	stays, expires := w.dial("/plant?token=ada"), w.dial("/plant?token=ada")
	w.people.mu.Lock()
	w.people.until = time.Time{}
	w.people.mu.Unlock()
	w.send(stays, `{"RefreshAccessToken":"ada"}`)
	w.closed(expires, websocket.StatusPolicyViolation)
	w.produce(deviceEvent("1", "temp", "d"))
	same(t, w.read(stays), structured("1", "temp", "d"))
	w.withdraw()
	w.closed(stays, websocket.StatusPolicyViolation)
}

func TestCloseCodes(t *testing.T) {
	w := newWorld(t, nil)
	for text, want := range map[string]websocket.StatusCode{
		`{"RefreshAccessToken":"eve"}`: websocket.StatusPolicyViolation,
		`{"RefreshAccessToken":"bob"}`: websocket.StatusPolicyViolation,
		`{`:                            websocket.StatusProtocolError,
		`{}`:                           websocket.StatusProtocolError,
		`{"Acknowledge":1}`:            websocket.StatusProtocolError,
		`{"RefreshAccessToken":"ada","Acknowledge":1}`:                  websocket.StatusProtocolError,
		`{"RefreshAccessToken":"` + strings.Repeat("x", 200<<10) + `"}`: websocket.StatusMessageTooBig,
	} {
		conn := w.dial("/plant?token=ada")
		w.send(conn, text)
		w.closed(conn, want)
	}
	conn := w.dial("/plant?token=ada")
	go w.stop()
	w.closed(conn, websocket.StatusGoingAway)
}

// What a client has not acknowledged comes again, and more than its window does not come.
func TestAcknowledgements(t *testing.T) {
	w := newWorld(t, nil)
	const path = "/plant?token=ada&group_id=g&acknowledge=true&window=2"
	conn := w.dial(path)
	for _, id := range []string{"1", "2", "3", "4"} {
		w.produce(deviceEvent(id, "temp", "d"))
	}
	w.read(conn)
	w.read(conn)
	w.send(conn, `{"Acknowledge":1}`)
	same(t, w.read(conn), structured("3", "temp", "d"))
	w.send(conn, `{"Acknowledge":3}`)
	w.closed(conn, websocket.StatusProtocolError)
	conn = w.dial(path)
	same(t, w.read(conn), structured("2", "temp", "d"))
	same(t, w.read(conn), structured("3", "temp", "d"))
	w.send(conn, `{"Acknowledge":2}`)
	same(t, w.read(conn), structured("4", "temp", "d"))
}

// A client that answers no ping is given up.
func TestSilentClient(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Web.PingInterval = time.Second })
	silent := w.dial("/plant?token=ada&group_id=g") // nothing is read from it, so that it answers nothing
	_ = silent
	neighbour.Eventually(t, "the end of the session", func() bool { return w.guard.Len() == 0 })
}

// A client that does not read holds up its own group only.
func TestClientThatDoesNotRead(t *testing.T) {
	w := newWorld(t, nil)
	w.dial("/plant?token=ada&group_id=stuck")
	w.dial("/plant?token=ada")
	other := w.dial("/plant?token=ada&group_id=other")
	const all = 2000
	go func() {
		for range all {
			r := deviceEvent("1", "temp", "d")
			r.Value = []byte(`"` + strings.Repeat("x", 10_000) + `"`)
			w.producer.Produce(context.Background(), r, nil)
		}
	}()
	for range all {
		w.read(other)
	}
}

// stream opens a stream of Server-Sent Events.
func (w *world) stream(path, last string) *bufio.Scanner {
	w.Helper()
	var header []string
	if last != "" {
		header = []string{"Last-Event-ID", last}
	}
	response := w.ask(http.MethodGet, path, header...)
	w.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		w.Fatalf("%s %s", response.Status, response.Header.Get("Content-Type"))
	}
	return bufio.NewScanner(response.Body)
}

// message reads the next message of a stream.
func (w *world) message(s *bufio.Scanner) (id, data string) {
	w.Helper()
	for s.Scan() {
		if text, ok := strings.CutPrefix(s.Text(), "id: "); ok {
			id = text
		}
		if text, ok := strings.CutPrefix(s.Text(), "data: "); ok {
			return id, text
		}
	}
	w.Fatalf("the stream ends: %v", s.Err())
	return "", ""
}

func TestEventStreamContinues(t *testing.T) {
	w := newWorld(t, nil)
	s := w.stream("/plant?token=ada", "")
	w.produce(deviceEvent("1", "temp", "d"), deviceEvent("2", "temp", "d"))
	id, data := w.message(s)
	same(t, data, structured("1", "temp", "d"))
	if id != "0-1.1-0" {
		t.Errorf("id %s", id)
	}
	s = w.stream("/plant?token=ada", id)
	id, data = w.message(s)
	same(t, data, structured("2", "temp", "d"))
	if id != "0-2.1-0" {
		t.Errorf("id %s", id)
	}
	s = w.stream("/plant/temp?token=ada&group_id=g&from=earliest", "")
	if id, data = w.message(s); id != "" {
		t.Errorf("id %s with a group", id)
	}
	same(t, data, structured("1", "temp", "d"))
}

func FuzzPlace(f *testing.F) {
	f.Add("0-1.1-0")
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parsePlace(text)
		if err != nil {
			return
		}
		again, err := parsePlace(string(appendPlace(nil, at)))
		if err != nil || !cmp.Equal(at, again) {
			t.Errorf("%s: %v, %v, %v", text, at, again, err)
		}
	})
}

func TestQueueTakesNothingAfterItsEnd(t *testing.T) {
	q := newQueue(10)
	none := func(b []byte) []byte { return b }
	if !q.put(t.Context(), none, unsettled{}) {
		t.Error("it is not taken")
	}
	q.end()
	if q.put(t.Context(), none, unsettled{}) {
		t.Error("it is taken after the end")
	}
}
