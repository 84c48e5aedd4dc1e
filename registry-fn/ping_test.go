package registryfn

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/registry"
)

// somewhere is a Kafka that stores everything.
type somewhere struct{}

func (somewhere) Write(_ context.Context, _ *kgo.Record, done func(error)) { done(nil) }

func TestPing(t *testing.T) {
	w := newWorld(t)
	ping := func(kind string) int {
		r := httptest.NewRequest(http.MethodPost, "/ping", http.NoBody)
		r.Header.Set("Ce-Type", kind)
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, r)
		return recorder.Code
	}
	if got := ping("com.example"); got != http.StatusBadRequest {
		t.Errorf("another event: %d", got)
	}
	a := registry.Application{Metadata: registry.Metadata{Name: "app-1"}}
	if _, err := w.store.ApplyApplication(t.Context(), &a); err != nil { // by a process that has died since
		t.Fatal(err)
	}
	if got := ping(pingType); got != http.StatusServiceUnavailable {
		t.Errorf("without Kafka: %d", got)
	}
	w.handler.Changes = changes.New(changes.DefaultConfig(), w.store, w.redis, somewhere{}, nil)
	if got := ping(pingType); got != http.StatusNoContent {
		t.Errorf("%d", got)
	}
	if left, err := w.store.Waiting(t.Context(), 10); err != nil || left != 0 {
		t.Errorf("%d changes are left, %v", left, err)
	}
}
