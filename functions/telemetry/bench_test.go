package telemetry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/registry"
)

// discard stores nothing and says that it has.
type discard struct{}

func (discard) Write(_ context.Context, _ *kgo.Record, done func(error)) { done(nil) }

// gate admits everybody at once.
type gate struct {
	auth.Authenticator
	session *auth.Session
}

func (g gate) Authenticate(context.Context, auth.Request) (*auth.Session, error) {
	return g.session, nil
}

// silent is a response that nobody reads.
type silent struct {
	header http.Header
	status int
}

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) Write(b []byte) (int, error) { return len(b), nil }
func (s *silent) WriteHeader(status int)      { s.status = status }

// BenchmarkServeHTTP is what the handler adds to what net/http does with a request, without the decision about the log-in and without Kafka.
func BenchmarkServeHTTP(b *testing.B) {
	body := []byte(`{"temperature":23.5,"humidity":41.2,"pressure":1013.25,"battery":3.71,"sequence":1234567,"ok":true}`)
	admitted := &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "example-app", UID: "6f5f3c1e-5f5c-4c53-bf5b-7a8d1c0e8f11"}},
		Device:      &registry.Device{Metadata: registry.Metadata{Name: "device1", UID: "6f5f3c1e-5f5c-4c53-bf5b-7a8d1c0e8f12"}},
	}
	handler := New(DefaultConfig(), gate{session: admitted}, ingest.New(ingest.DefaultConfig(), discard{}), command.NewHub())
	r := httptest.NewRequest(http.MethodPost, "/v1/temp", nil)
	r.SetBasicAuth("device1@example-app", "hey-rodney")
	r.Header.Set("Content-Type", "application/json")
	reader := bytes.NewReader(nil)
	r.Body, r.ContentLength = io.NopCloser(reader), int64(len(body))
	w := &silent{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		clear(w.header)
		handler.ServeHTTP(w, r)
	}
	if w.status != http.StatusAccepted {
		b.Errorf("answered with %d", w.status)
	}
}
