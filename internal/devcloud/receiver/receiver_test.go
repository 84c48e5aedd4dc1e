package receiver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
)

func TestHandler(t *testing.T) {
	f := func(name, method string, header map[string]string, body string, wantStatus int, wantID string) {
		t.Helper()
		id := ""
		h := Handler(func(e cloudevents.Event) { id = e.ID() })
		r := httptest.NewRequest(method, "/", strings.NewReader(body))
		for k, v := range header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != wantStatus || id != wantID {
			t.Errorf("%s: status %d and event %q, want %d and %q", name, w.Code, id, wantStatus, wantID)
		}
	}
	binary := map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "b", "Ce-Type": "t", "Ce-Source": "/s", "Content-Type": "text/plain"}
	f("binary", http.MethodPost, binary, "x", 202, "b")
	f("structured", http.MethodPost, map[string]string{"Content-Type": "application/cloudevents+json"}, `{"specversion":"1.0","id":"s","type":"t","source":"/s"}`, 202, "s")
	f("no event", http.MethodPost, nil, "x", 400, "")
	f("invalid event", http.MethodPost, map[string]string{"Ce-Specversion": "1.0"}, "x", 400, "")
	f("other method", http.MethodGet, binary, "", 405, "")
	f("too large", http.MethodPost, binary, strings.Repeat("x", maxBody+1), 400, "")
}

func TestLine(t *testing.T) {
	f := func(name string, change func(*cloudevents.Event), want string) {
		t.Helper()
		e := cloudevents.New()
		e.SetID("i")
		e.SetSource("/s")
		e.SetType("io.drogue.event.v1")
		e.SetSubject("state")
		e.SetExtension("device", "device1")
		change(&e)
		if got := Line(e); got != want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	f("message", func(e *cloudevents.Event) { e.DataEncoded = []byte("{\n  \"t\": 1\n}") }, `--:--:--  device1       state           { "t": 1 }`)
	f("binary", func(e *cloudevents.Event) { e.DataEncoded = []byte{0xff, 0} }, `--:--:--  device1       state           (2 bytes)`)
	f("other type", func(e *cloudevents.Event) { e.SetType("other") }, `--:--:--  device1       state           (no data)  (other)`)
	f("escape sequences", func(e *cloudevents.Event) { e.DataEncoded = []byte("a\x1b[2Jb") }, `--:--:--  device1       state           a·[2Jb`)
	f("dead letter", func(e *cloudevents.Event) {
		e.SetExtension("knativeerrordest", "http://h/")
		e.SetExtension("knativeerrorcode", "400")
	}, `--:--:--  device1       state           (no data)  [dead letter: 400 from http://h/]`)
	f("long", func(e *cloudevents.Event) { e.DataEncoded = []byte(strings.Repeat("x", 300)) },
		`--:--:--  device1       state           `+strings.Repeat("x", 199)+"…")
}
