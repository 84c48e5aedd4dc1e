package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoadReportsWhatTheServerAnswered(t *testing.T) {
	var seen, wrong atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != benchUser(0) && user != benchUser(1) || password != benchPassword || r.ContentLength != bodySize {
			wrong.Add(1)
		}
		if seen.Add(1)%2 == 0 {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		readAndAccept(w, r)
	}))
	defer server.Close()
	var output bytes.Buffer
	arguments := []string{"--address", server.Listener.Addr().String(), "--devices", "2", "--duration", "50ms"}
	if err := load(t.Context(), arguments, &output); err != nil {
		t.Fatal(err)
	}
	var got loadReport
	if err := json.Unmarshal(output.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	total := int(seen.Load())
	if got.Accepted != (total+1)/2 || got.Refused != total/2 || got.Statuses[202] != got.Accepted || got.Statuses[503] != got.Refused {
		t.Errorf("%d requests, report %+v", total, got)
	}
	if got.Elapsed < 50*time.Millisecond || got.Median <= 0 || got.P99 < got.Median {
		t.Errorf("report %+v", got)
	}
	if wrong.Load() > 0 {
		t.Errorf("%d of %d requests were not what was meant", wrong.Load(), total)
	}
}

func TestBodyIsJSONOfTheSizeThatIsPromised(t *testing.T) {
	if b := body(); len(b) != bodySize || !json.Valid([]byte(b)) {
		t.Errorf("%d bytes: %s", len(b), b)
	}
}
