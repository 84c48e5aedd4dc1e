package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// door admits device1 of example-app with a password, for itself or for other.
type door struct {
	auth.Authenticator
	asked   []auth.Request
	err     error
	revoked chan struct{}
}

func (d *door) Authenticate(_ context.Context, r auth.Request) (*auth.Session, error) {
	d.asked = append(d.asked, r)
	if d.err != nil {
		return nil, d.err
	}
	if r.Application != "example-app" || r.Device != "device1" || r.Credential != auth.Password("hey-rodney") {
		return nil, outcome.New(outcome.Unauthenticated, "")
	}
	s := &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "example-app"}},
		Device:      &registry.Device{Metadata: registry.Metadata{Name: "device1"}},
		Revoked:     d.revoked,
	}
	if r.As != "" {
		s.As = &registry.Device{Metadata: registry.Metadata{Name: r.As}}
	}
	return s, nil
}

// recordWriter keeps records and answers with err.
type recordWriter struct {
	records []*kgo.Record
	err     error
}

func (s *recordWriter) Write(_ context.Context, r *kgo.Record, done func(error)) {
	if s.err == nil {
		s.records = append(s.records, r)
	}
	done(s.err)
}

type fixture struct {
	door   *door
	writer *recordWriter
	http   *Handler
}

func newFixture() *fixture {
	f := &fixture{door: &door{}, writer: &recordWriter{}}
	f.http = New(DefaultConfig(), f.door, ingest.New(ingest.DefaultConfig(), f.writer), command.NewHub())
	return f
}

func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.SetBasicAuth("device1@example-app", "hey-rodney")
	return r
}

func (f *fixture) do(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	f.http.ServeHTTP(w, r)
	return w.Result()
}

func headerOf(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func TestRoutes(t *testing.T) {
	f := func(method, target string, want int) {
		t.Helper()
		if got := newFixture().do(request(method, target, "x")); got.StatusCode != want {
			t.Errorf("%s %s: %d, want %d", method, target, got.StatusCode, want)
		}
	}
	f("GET", "/", 200)
	f("POST", "/", 405)
	f("POST", "/v1/temp", 202)
	f("POST", "/v1/temp/", 202)
	f("POST", "/v1/temp/what/ever", 202)
	f("POST", "/v1/a%20b%2Fc", 202)
	f("POST", "/v1/", 404)
	f("POST", "/v1", 404)
	f("POST", "/v1//x", 404)
	f("POST", "/v2/temp", 404)
	f("GET", "/v1/temp", 405)
	f("PUT", "/v1/temp", 405)
	f("POST", "/v1/a%00b", 400)
	f("POST", "/v1/a%FFb", 400)
	f("POST", "/v1/"+strings.Repeat("x", 2000), 400)
	f("POST", "/v1/temp?ct=abc", 400)
	f("POST", "/v1/temp?data_schema=mod5", 400)
	f("POST", "/v1/temp?as=a&as=b", 400)
}

func TestPublish(t *testing.T) {
	f := newFixture()
	r := request("POST", "/v1/a%20b/suffix?as=sensor&data_schema=urn:x", `{"t": 1}`)
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	got := f.do(r)
	body, _ := io.ReadAll(got.Body)
	if got.StatusCode != 202 || len(body) != 0 {
		t.Fatalf("%d %q", got.StatusCode, body)
	}
	record := f.writer.records[0]
	for name, want := range map[string]string{
		"ce_subject": "a b", "ce_device": "sensor", "ce_sender": "device1", "ce_dataschema": "urn:x", "content-type": "application/json",
	} {
		if got := headerOf(record, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if string(record.Value) != `{"t":1}` {
		t.Errorf("value %q", record.Value)
	}
	if asked := f.door.asked[0]; asked.As != "sensor" || asked.Remote != "192.0.2.1" {
		t.Errorf("asked as %q from %q", asked.As, asked.Remote)
	}
}

func TestEveryRefusalOfALogInLooksTheSame(t *testing.T) {
	const want = `{"code":403,"error":"AuthenticationError","message":"Authentication failed"}`
	f := func(authorization, target string) {
		t.Helper()
		r := httptest.NewRequest("POST", target, strings.NewReader("x"))
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		fx := newFixture()
		got := fx.do(r)
		body, _ := io.ReadAll(got.Body)
		if got.StatusCode != 403 || string(body) != want || got.Header.Get("WWW-Authenticate") != "" || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%q: %d %q %v", authorization, got.StatusCode, body, got.Header)
		}
		if len(fx.door.asked) != 1 {
			t.Errorf("%q: the authenticator was asked %d times, want once for every log-in", authorization, len(fx.door.asked))
		}
		if len(fx.writer.records) != 0 {
			t.Errorf("%q: stored", authorization)
		}
	}
	f("", "/v1/x")
	f("Basic", "/v1/x")
	f("Basic !!!", "/v1/x")
	f("Bearer abc", "/v1/x")
	f("Basic ZGV2aWNlMUBleGFtcGxlLWFwcDp3cm9uZw==", "/v1/x")
	f("Basic ZGV2aWNlMUBleGFtcGxlLWFwcDpoZXktcm9kbmV5", "/v1/x?application=other")
}

func TestRefusals(t *testing.T) {
	f := func(setUp func(*fixture, *http.Request), status int, body string, retryAfter string) {
		t.Helper()
		fx := newFixture()
		r := request("POST", "/v1/temp", "{")
		setUp(fx, r)
		got := fx.do(r)
		text, _ := io.ReadAll(got.Body)
		if got.StatusCode != status || got.Header.Get("Retry-After") != retryAfter {
			t.Errorf("%d, Retry-After %q; want %d, %q", got.StatusCode, got.Header.Get("Retry-After"), status, retryAfter)
		}
		if body == "" && len(text) != 0 {
			t.Errorf("%d with body %q", status, text)
		}
		if body == "" {
			return
		}
		var document map[string]any
		if err := json.Unmarshal(text, &document); err != nil || document["error"] != body {
			t.Errorf("body %q, want error %q", text, body)
		}
	}
	asJSON := func(_ *fixture, r *http.Request) { r.Header.Set("Content-Type", "application/json") }
	f(asJSON, 406, "Rejected", "")
	contentType := func(value ...string) func(*fixture, *http.Request) {
		return func(_ *fixture, r *http.Request) { r.Header["Content-Type"] = value }
	}
	f(contentType("Application/JSON"), 406, "Rejected", "")
	f(contentType("application/ld+json; profile=x"), 406, "Rejected", "")
	f(contentType("application/cloudevents+json; charset=utf-8"), 400, "InvalidRequest", "")
	f(contentType("text/plain; charset"), 400, "InvalidRequest", "")
	f(contentType("text/plain", "text/plain"), 400, "InvalidRequest", "")
	coding := func(value ...string) func(*fixture, *http.Request) {
		return func(_ *fixture, r *http.Request) { r.Header["Content-Encoding"] = value }
	}
	f(coding("br"), 415, "UnsupportedMediaType", "")
	f(coding("gzip", "deflate"), 415, "UnsupportedMediaType", "")
	f(coding("gzip"), 400, "InvalidRequest", "")
	f(func(_ *fixture, r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, 403, "AuthenticationError", "")
	f(func(fx *fixture, _ *http.Request) { fx.writer.err = outcome.New(outcome.Overloaded, "") }, 503, "", "2")
	f(func(fx *fixture, _ *http.Request) { fx.writer.err = outcome.New(outcome.Unavailable, "x") }, 503, "ServiceUnavailable", "2")
	f(func(fx *fixture, _ *http.Request) { fx.writer.err = io.ErrUnexpectedEOF }, 500, "InternalError", "")
	f(func(fx *fixture, _ *http.Request) { fx.door.err = outcome.New(outcome.Unavailable, "x") }, 503, "AuthenticationServiceError", "2")
	f(func(fx *fixture, _ *http.Request) { fx.door.err = outcome.New(outcome.Overloaded, "x") }, 503, "AuthenticationServiceError", "2")
	f(func(_ *fixture, r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", 64<<10+1)))
		r.ContentLength = -1
	}, 413, "PayloadTooLarge", "")
	f(func(_ *fixture, r *http.Request) { r.ContentLength = 64<<10 + 1 }, 413, "PayloadTooLarge", "")
}

// waiter sends a request with a long ct to a server and tells when the message is stored and when the answer is there.
func waiter(t *testing.T, f *fixture) (*httptest.Server, <-chan int) {
	t.Helper()
	server := httptest.NewServer(f.http)
	t.Cleanup(server.Close)
	answer := make(chan int, 1)
	go func() {
		r, err := http.NewRequest("POST", server.URL+"/v1/temp?ct=60", strings.NewReader("x"))
		if err != nil {
			panic(err)
		}
		r.SetBasicAuth("device1@example-app", "hey-rodney")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			answer <- -1
			return
		}
		_ = response.Body.Close()
		answer <- response.StatusCode
	}()
	return server, answer
}

func waitsFor(t *testing.T, f *fixture) {
	t.Helper()
	deadline := time.After(time.Minute)
	for f.http.waiting.Len() == 0 {
		select {
		case <-deadline:
			t.Fatal("no request waits")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestWaitEndsWithTheServer(t *testing.T) {
	f := newFixture()
	server, answer := waiter(t, f)
	waitsFor(t, f)
	if err := server.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != 202 {
		t.Errorf("answer %d", got)
	}
}

// A reviewer admits device1, and then judges it as often as its session is revoked.
type reviewer struct {
	*door
	sessions chan chan struct{} // gets what revokes each session
	verdicts chan error         // of renewals
}

func (r *reviewer) Authenticate(ctx context.Context, q auth.Request) (*auth.Session, error) {
	if q.Renewal {
		if _, ok := q.Credential.(auth.Password); ok {
			panic("a renewal holds a password")
		}
		if err := <-r.verdicts; err != nil {
			return nil, err
		}
		q.Credential = auth.Password("hey-rodney")
	}
	revoked := make(chan struct{})
	r.door.revoked = revoked
	session, err := r.door.Authenticate(ctx, q)
	r.sessions <- revoked
	return session, err
}

// TestWaitEndsWithTheAdmission revokes the session of a device that waits: it goes on waiting as long as it is admitted anew.
func TestWaitEndsWithTheAdmission(t *testing.T) {
	f := newFixture()
	r := &reviewer{door: f.door, sessions: make(chan chan struct{}, 1), verdicts: make(chan error)}
	f.http = New(DefaultConfig(), r, ingest.New(ingest.DefaultConfig(), f.writer), command.NewHub())
	_, answer := waiter(t, f)
	waitsFor(t, f)
	close(<-r.sessions)
	r.verdicts <- nil
	second := <-r.sessions
	if n := len(answer); n > 0 {
		t.Fatal("the wait is over before the second admission")
	}
	close(second)
	r.verdicts <- outcome.New(outcome.Unauthenticated, "")
	if got := <-answer; got != 202 {
		t.Errorf("answer %d", got)
	}
}

func TestWaitIsBounded(t *testing.T) {
	c := DefaultConfig()
	c.MaxWaiting = 0
	f := newFixture()
	f.http = New(c, f.door, ingest.New(ingest.DefaultConfig(), f.writer), command.NewHub())
	if got := f.do(request("POST", "/v1/temp?ct=60", "x")); got.StatusCode != 202 {
		t.Errorf("answer %d", got.StatusCode)
	}
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		err := c.Validate()
		if got, _, _ := strings.Cut(errorText(err), ":"); got != want {
			t.Errorf("Validate(%+v) = %v, want %q", c, err, want)
		}
	}
	f(DefaultConfig(), "")
	f(Config{AuthTimeout: time.Hour}, "authTimeout")
	f(Config{AuthTimeout: time.Second, MaxWait: time.Hour}, "maxWait")
	f(Config{AuthTimeout: time.Second, MaxWaiting: -1}, "maxWaiting")
	if diff := cmp.Diff(60*time.Second, DefaultConfig().MaxWait); diff != "" {
		t.Error(diff)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
