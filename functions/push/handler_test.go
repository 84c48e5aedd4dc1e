package push

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/triggers"
)

// documents is a registry with one application "app".
type documents struct {
	section  string // spec.knative
	deleting bool
	err      error
}

func (d *documents) Application(_ context.Context, alias string) (*registry.Application, error) {
	switch {
	case d.err != nil:
		return nil, d.err
	case alias != "app":
		return nil, registry.ErrNotFound
	}
	a := &registry.Application{Metadata: registry.Metadata{Name: "app", UID: "u1"}, Spec: registry.Sections{}}
	if d.section != "" {
		a.Spec[registry.SectionKnative] = json.RawMessage(d.section)
	}
	if d.deleting {
		a.Metadata.DeletionTimestamp = &a.Metadata.CreationTimestamp
	}
	return a, nil
}

// A receiver is an application's own endpoint.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	got     []*http.Request
	bodies  []string
	respond http.HandlerFunc
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.bodies = append(r.got, q), append(r.bodies, string(body))
		if r.respond != nil {
			r.respond(w, q)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func newHandler(t *testing.T, d *documents, allow ...string) (*Handler, *observer.ObservedLogs) {
	t.Helper()
	c := outbound.DefaultConfig()
	c.Allow = allow
	client, err := outbound.New(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	core, logs := observer.New(zap.DebugLevel)
	return New(DefaultConfig(), d, client, zap.New(core)), logs
}

const thisMachine = "127.0.0.1"

// request is one as Knative's dispatcher makes it.
func request(path string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest("POST", path, strings.NewReader(`{"temp":1}`))
	for name, value := range map[string]string{
		"ce-specversion": "1.0", "ce-id": "1", "ce-type": "io.drogue.event.v1", "ce-source": "drogue://app/dev", "ce-subject": "Fen%20ster",
		"ce-device": "dev", "Content-Type": "application/json", "Prefer": "reply", "Kn-Namespace": "fairlead", "Authorization": "Bearer trigger",
	} {
		r.Header.Set(name, value)
	}
	if change != nil {
		change(r)
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestDelivers(t *testing.T) {
	to := newReceiver(t)
	h, _ := newHandler(t, &documents{section: `{"endpoint":{"url":"` + to.URL + `/in","auth":{"basic":{"username":"u","password":"p"}},"headers":[{"X-A":"1"}]}}`}, thisMachine)
	to.respond = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Ce-Id", "reply")
		_, _ = w.Write([]byte("thank you"))
	}
	w := serve(h, request("/app", nil))
	if w.Code != http.StatusAccepted || w.Body.Len() > 0 || w.Header().Get("Ce-Id") != "" {
		t.Fatalf("%d %v %q", w.Code, w.Header(), w.Body)
	}
	got := to.got[0]
	for name, want := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Type": "io.drogue.event.v1", "Ce-Source": "drogue://app/dev", "Ce-Subject": "Fen%20ster", "Ce-Device": "dev",
		"Content-Type": "application/json", "X-A": "1", "Authorization": "Basic dTpw", "Prefer": "", "Kn-Namespace": "",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.Method != "POST" || got.URL.Path != "/in" || to.bodies[0] != `{"temp":1}` {
		t.Errorf("%s %s %q", got.Method, got.URL, to.bodies[0])
	}
}

func TestStructured(t *testing.T) {
	to := newReceiver(t)
	h, _ := newHandler(t, &documents{section: `{"endpoint":{"url":"` + to.URL + `"}}`}, thisMachine)
	f := func(document string, want int) {
		t.Helper()
		r := httptest.NewRequest("POST", "/app", strings.NewReader(document))
		r.Header.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
		if w := serve(h, r); w.Code != want {
			t.Errorf("%s: %d %s", document, w.Code, w.Body)
		}
	}
	f(`{"specversion":"1.0","id":"1","type":"t","source":"s","subject":"Tür 1","time":"2026-01-02T03:04:05.6Z","n":5,"datacontenttype":"application/json","data":{"a":1}}`, http.StatusAccepted)
	got := to.got[0].Header
	for name, want := range map[string]string{"Ce-Id": "1", "Ce-Subject": "T%C3%BCr%201", "Ce-Time": "2026-01-02T03:04:05.6Z", "Ce-N": "5", "Content-Type": "application/json"} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	if to.bodies[0] != `{"a":1}` {
		t.Error(to.bodies[0])
	}
	f(`{"specversion":"1.0","id":"1"}`, http.StatusBadRequest)
	f(`[]`, http.StatusBadRequest)
}

// TestAnswers checks what a Trigger is told, and that Knative does with it what is meant.
func TestAnswers(t *testing.T) {
	to := newReceiver(t)
	good := `{"endpoint":{"url":"` + to.URL + `","auth":{"bearer":{"token":"hunter2"}}}}`
	f := func(d documents, respond http.HandlerFunc, want int, again bool, after, text string) {
		t.Helper()
		to.respond = respond
		h, logs := newHandler(t, &d, thisMachine)
		w := serve(h, request("/app", nil))
		if w.Code != want || triggers.Retryable(w.Code) != again || w.Header().Get("Retry-After") != after || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: %d %q %q, want %d %q %q, again %v", d.section, w.Code, w.Header().Get("Retry-After"), w.Body, want, after, text, again)
		}
		said := logs.All()
		if len(said) != 1 || said[0].ContextMap()["application"] != "app" {
			t.Errorf("%d: logged %v", want, said)
		}
		if strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("a secret in %s", w.Body)
		}
	}
	status := func(status int, after, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	f(documents{section: good}, status(400, "", "no\tsuch\x00field"), 400, false, "", "the endpoint answered 400 Bad Request: no such field")
	f(documents{section: good}, status(401, "", "wrong: hunter2"), 401, false, "", "the endpoint answered 401 Unauthorized")
	f(documents{section: good}, status(404, "", ""), 404, true, "", "the endpoint answered 404")
	f(documents{section: good}, status(408, "", ""), 408, true, "", "408")
	f(documents{section: good}, status(409, "", ""), 409, true, "", "409")
	f(documents{section: good}, status(429, "17", ""), 429, true, "17", "429")
	f(documents{section: good}, status(429, "soon", ""), 429, true, "", "429")
	f(documents{section: good}, status(503, "Wed, 21 Oct 2026 07:28:00 GMT", ""), 503, true, "Wed, 21 Oct 2026 07:28:00 GMT", "503")
	f(documents{section: good}, status(500, "", strings.Repeat("x", 5000)), 500, true, "", "xxx")
	f(documents{section: good}, status(302, "", ""), 422, false, "", "redirects are not followed")
	f(documents{section: good}, status(999, "", ""), 502, true, "", "999")
	f(documents{}, nil, 404, true, "", "no endpoint in spec.knative")
	f(documents{section: `{"disabled":true,"endpoint":{"url":"` + to.URL + `"}}`}, nil, 404, true, "", "no endpoint")
	f(documents{section: good, deleting: true}, nil, 404, true, "", "no such application")
	f(documents{section: `{"endpoint":{"url":"hunter2"}}`}, nil, 422, false, "", "spec.knative.endpoint.url: must be an http or https URL")
	f(documents{section: `{"endpoint":{"url":"` + to.URL + `","auth":{"bearer":"hunter2"}}}`}, nil, 422, false, "", "spec.knative.endpoint.auth.bearer: must be an object")
	f(documents{err: errors.New("hunter2")}, nil, 503, true, "2", "the registry cannot be reached")
	f(documents{section: `{"endpoint":{"url":"http://127.0.0.2/"}}`}, nil, 403, false, "", "does not lie at a public address")
	f(documents{section: `{"endpoint":{"url":"http://u:hunter2@127.0.0.1:1/"}}`}, nil, 502, true, "", "cannot be reached")
	f(documents{section: `{"endpoint":{"url":"` + to.URL + `","timeout":"50ms"}}`}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 504, true, "", "in time")
}

// TestPaused checks that an endpoint that fails is left alone.
func TestPaused(t *testing.T) {
	to := newReceiver(t)
	to.respond = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }
	h, _ := newHandler(t, &documents{section: `{"endpoint":{"url":"` + to.URL + `"}}`}, thisMachine)
	for range outbound.DefaultConfig().Failures {
		if w := serve(h, request("/app", nil)); w.Code != 500 {
			t.Fatal(w.Code)
		}
	}
	if w := serve(h, request("/app", nil)); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if n := len(to.got); n != outbound.DefaultConfig().Failures {
		t.Errorf("%d requests", n)
	}
}

func TestBadRequests(t *testing.T) {
	to := newReceiver(t)
	h, _ := newHandler(t, &documents{section: `{"endpoint":{"url":"` + to.URL + `"}}`}, thisMachine)
	f := func(want int, path string, change func(*http.Request)) {
		t.Helper()
		if w := serve(h, request(path, change)); w.Code != want {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
	f(405, "/app", func(r *http.Request) { r.Method = "GET" })
	f(400, "/", nil)
	f(400, "/app/more", nil)
	f(400, "/App", nil)
	f(400, "/%2e%2e", nil)
	f(404, "/other", nil)
	for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Type", "Ce-Source"} {
		f(400, "/app", func(r *http.Request) { r.Header.Del(name) })
		f(400, "/app", func(r *http.Request) { r.Header.Add(name, "x") })
	}
	f(400, "/app", func(r *http.Request) { r.Header.Add("Content-Type", "x") })
	f(400, "/app", func(r *http.Request) { r.Header.Set("Content-Type", "application/cloudevents-batch+json") })
	f(413, "/app", func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", DefaultConfig().MaxBody+1)))
	})
	if len(to.got) > 0 {
		t.Errorf("%d were delivered", len(to.got))
	}
}

// callers admits by the token's text.
type callers struct{}

func (callers) Authenticate(r *http.Request) (*user.Identity, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer trigger":
		return &user.Identity{Service: true}, nil
	case "Bearer person":
		return &user.Identity{}, nil
	case "Bearer unknown":
		return nil, outcome.Wrap(outcome.Unavailable, "nobody knows", nil)
	}
	return nil, outcome.Wrap(outcome.Unauthenticated, "no", nil)
}

func TestCallersShowWhoTheyAre(t *testing.T) {
	to := newReceiver(t)
	h, _ := newHandler(t, &documents{section: `{"endpoint":{"url":"` + to.URL + `"}}`}, thisMachine)
	h.AdmitServices(callers{})
	f := func(want int, authorization string) {
		t.Helper()
		w := serve(h, request("/app", func(r *http.Request) { r.Header.Set("Authorization", authorization) }))
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", authorization, w.Code, w.Body, want)
		}
	}
	f(202, "Bearer trigger")
	f(403, "Bearer person")
	f(403, "Bearer other")
	f(401, "")
	f(401, "Basic dTpw")
	f(503, "Bearer unknown")
	if len(to.got) != 1 || to.got[0].Header.Get("Authorization") != "" {
		t.Errorf("%d were delivered", len(to.got))
	}
}
