package provision

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/registry"
)

func TestHandler(t *testing.T) {
	w := newWorld(t, nil)
	h := NewHandler(w.Provisioner)
	uid := w.put("app", "")
	post := func(kind, subject, application, data string, want int) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(data))
		for name, value := range map[string]string{"Ce-Type": kind, "Ce-Subject": subject, "Ce-Application": application} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, r)
		if recorder.Code != want {
			t.Errorf("%s %s %s: %d, want %d", kind, subject, application, recorder.Code, want)
		}
		if want == http.StatusServiceUnavailable && recorder.Header().Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
	data := fmt.Sprintf(`{"revision":1,"uid":%q}`, uid)
	post("", "", "", "", http.StatusBadRequest)
	post(event.TypeDeviceChange, ".", "app", data, http.StatusNoContent)
	post(event.TypeApplicationChange, ".status.conditions", "app", data, http.StatusNoContent)
	w.want()
	post(event.TypeApplicationChange, ".", "app/../x", data, http.StatusBadRequest)
	post(event.TypeApplicationChange, ".", "app", "{", http.StatusBadRequest)
	post(event.TypeApplicationChange, ".", "app", `{"uid":"`+strings.Repeat("x", maxData)+`"}`, http.StatusBadRequest)
	w.kafka.fail("app", errors.New("away"))
	post(event.TypeApplicationChange, ".", "app", data, http.StatusServiceUnavailable)
	w.kafka.fail("app", nil)
	post(event.TypeApplicationChange, ".", "app", data, http.StatusNoContent)
	w.want("Broker app", "KafkaSink app-dead-letters")
	w.server.Remove("Broker app")
	post(pingType, "", "", "", http.StatusNoContent)
	w.want("Broker app", "KafkaSink app-dead-letters")
	w.condition("app", registry.Ready, registry.True, "")
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	if recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", recorder.Code)
	}
}
