package registryfn

import (
	"strings"
	"testing"
)

// TestReadersSeeNoSecrets has an application that everybody may read. Whoever may not write to it sees that devices have
// credentials, and none of them, wherever a document is given out.
func TestReadersSeeNoSecrets(t *testing.T) {
	w := newWorld(t)
	share(w)
	w.ok("alice", "PUT", app, `{"metadata":{"name":"app-1"},"spec":{"knative":{"endpoint":{"url":"https://u:hunter2@h.example","auth":{"basic":{"username":"u","password":"hunter2"}}}}}}`)
	w.ok("alice", "PUT", device, `{"metadata":{"name":"d"},"spec":{"authentication":{"credentials":[{"pass":"hunter2"},{"user":{"username":"me","password":{"bcrypt":"hunter2"}}},{"psk":{"key":"aHVudGVyMg=="}}]},"x":{"token":"hunter2"}}}`)
	w.ok("alice", "PUT", admin+"/members", `{"members":{"bob":{"role":"manager"},"carol":{"role":"admin"},"dave":{"role":"reader"},"":{"role":"reader"}}}`)
	f := func(who, path string, secrets bool) {
		t.Helper()
		a := w.as(who, "GET", path, "")
		if a.status != 200 {
			t.Fatalf("%s of %q: %d", path, who, a.status)
		}
		if seen := strings.Contains(a.body, "hunter2") || strings.Contains(a.body, "aHVudGVyMg=="); seen != secrets {
			t.Errorf("%s as %q shows secrets: %v; %s", path, who, seen, a.body)
		}
		if strings.HasPrefix(path, devices) && !strings.Contains(a.body, `"username":"me"`) {
			t.Errorf("%s as %q does not show that there are credentials: %s", path, who, a.body)
		}
	}
	for _, path := range []string{device, devices, app, apps} {
		for _, who := range strings.Fields("alice bob carol root part only-app-1") {
			f(who, path, true)
		}
		f("dave", path, false)
		f("reading", path, false) // a token of alice that may only read
		if path != apps {
			f("", path, false)
		}
	}
	// What a writer reads can be written back without a loss.
	before := w.as("bob", "GET", device, "").body
	w.ok("bob", "PUT", device, before)
	if after := w.as("bob", "GET", device, "").body; !strings.Contains(after, "hunter2") || !strings.Contains(after, "aHVudGVyMg==") {
		t.Errorf("lost: %s", after)
	}
}

// TestNoOriginByDefault has a web page of another origin ask.
func TestNoOriginByDefault(t *testing.T) {
	w := newWorld(t)
	share(w)
	for _, method := range []string{"GET", "OPTIONS"} {
		a := w.as("alice", method, app, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "GET")
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: allowed for %q", method, got)
		}
	}
}
