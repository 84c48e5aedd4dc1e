package devcloud

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/test/neighbour"
)

// An ownEndpoint is an application's endpoint that wants a password.
type ownEndpoint struct {
	*httptest.Server
	status atomic.Int64 // 0: it takes everything
	mu     sync.Mutex
	bodies []string
}

func newOwnEndpoint(t *testing.T) *ownEndpoint {
	e := &ownEndpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if user, password, _ := r.BasicAuth(); user != "push" || password != "hunter2" || r.Header.Get("Ce-Application") != "example-app" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if status := e.status.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.bodies = append(e.bodies, string(body))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *ownEndpoint) got(body string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.bodies {
		if one == body {
			return true
		}
	}
	return false
}

const pushed = `kind: Application
metadata: {name: example-app}
spec:
  knative:
    endpoint:
      url: %q
      auth: {basic: {username: push, password: hunter2}}
---
` + "kind: Device\nmetadata: {application: example-app, name: sensor}\nspec: {authentication: {credentials: [{pass: secret}]}}\n"

// TestPushToAnEndpoint names an endpoint in the registry, has it fail and come back, and takes it away.
func TestPushToAnEndpoint(t *testing.T) {
	to := newOwnEndpoint(t)
	file := filepath.Join(t.TempDir(), "registry.yaml")
	write(t, file, fmt.Sprintf(pushed, to.URL+"/in"))
	var retried, dead atomic.Int64
	c := anywhere()
	c.Registry, c.Triggers = []string{file}, t.TempDir()
	c.Observe = func(r dispatch.Report) {
		if r.Result == dispatch.DeadLettered && r.Status == http.StatusBadRequest {
			dead.Add(1)
		}
		if r.Result == dispatch.Delivered && r.Attempts > 1 {
			retried.Add(1)
		}
	}
	d := start(t, c)
	n := d.Note()
	say := func(body string) {
		t.Helper()
		if status := post(t, n.HTTP+"/v1/state", "sensor@example-app", "secret", body); status != 202 {
			t.Fatalf("status %d", status)
		}
	}
	say(`{"n":1}`)
	neighbour.Eventually(t, "the event", func() bool { return to.got(`{"n":1}`) })

	to.status.Store(http.StatusBadRequest)
	say(`{"n":2}`)
	neighbour.Eventually(t, "the dead letter", func() bool { return dead.Load() == 1 })

	to.status.Store(http.StatusServiceUnavailable)
	say(`{"n":3}`)
	neighbour.Eventually(t, "a failure to be seen", func() bool {
		for _, s := range d.Status() {
			if strings.HasPrefix(s.Subscription, "fairlead/push-") && s.Retried > 0 {
				return true
			}
		}
		return false
	})
	to.status.Store(0)
	neighbour.Eventually(t, "the event to be tried again", func() bool { return to.got(`{"n":3}`) && retried.Load() == 1 })

	write(t, file, strings.Replace(fmt.Sprintf(pushed, to.URL), "  knative:\n", "  knative:\n    disabled: true\n", 1))
	neighbour.Eventually(t, "the Trigger to be gone", func() bool { return len(d.Status()) == 0 })
	write(t, file, fmt.Sprintf(pushed, to.URL))
	neighbour.Eventually(t, "events to be pushed again", func() bool {
		say(`{"n":4}`)
		return to.got(`{"n":4}`)
	})
}
