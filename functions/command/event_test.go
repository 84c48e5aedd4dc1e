package command

import (
	"net/http"
	"strings"
	"testing"
)

// anEvent makes the request an event of a Trigger.
func anEvent(authorization string, attributes ...string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Authorization", authorization)
		if authorization == "" {
			r.Header.Del("Authorization")
		}
		for name, value := range map[string]string{
			"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "s", "Ce-Type": "io.drogue.command.v1",
			"Ce-Application": "app", "Ce-Device": "d", "Ce-Subject": "on", "Content-Type": "text/plain",
		} {
			r.Header.Set(name, value)
		}
		for _, a := range attributes {
			name, value, _ := strings.Cut(a, "=")
			r.Header.Set("Ce-"+name, value)
		}
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t, nil)
	queue := w.listen(t, "d")
	f := func(want int, path string, change func(*http.Request)) {
		t.Helper()
		got := w.do(path, "x", change)
		if got.Code != want || got.Header().Get("Ce-Type") != "" || want == 202 && got.Body.Len() > 0 {
			t.Errorf("%s: %d %s %v, want %d", path, got.Code, got.Body, got.Header(), want)
		}
		if want != 202 {
			return
		}
		if c := <-queue.C(); c.Device != "d" || c.Name != "on" || string(c.Payload) != "x" || c.ContentType != "text/plain" {
			t.Errorf("%s: %+v", path, c)
		}
	}
	const service, owner = "Bearer trigger", "Bearer owner"
	f(202, "/app", anEvent(service))
	f(202, "/app", anEvent(service, "Application="))
	f(202, "/app", anEvent(owner))
	f(202, Base+"/events", anEvent(owner))
	f(202, Base+"/events", anEvent(service))
	f(403, "/app", anEvent(""))
	f(403, Base+"/events", anEvent(""))
	f(403, "/app", anEvent("Bearer nobody"))
	f(404, "/app", anEvent("Bearer reader"))
	f(404, Base+"/events", anEvent(owner, "Application=none"))
	f(400, Base+"/events", anEvent(owner, "Application="))
	f(400, "/app", anEvent(service, "Device="))
	f(400, "/app", anEvent(service, "Subject="))
	f(400, "/app", anEvent(service, "Subject=%23"))
	f(406, "/app", anEvent(service, "Device=none"))
	// Of another application, although the Trigger could send there.
	f(400, "/app2", anEvent(service))
	f(400, "/app", anEvent(service, "Application=app2"))
	f(413, "/app", func(r *http.Request) { anEvent(service)(r); r.ContentLength = 1 << 20 })
}

// TestNoLoop shows that an event of any other type is no command, so that nothing that a command causes comes back as one.
func TestNoLoop(t *testing.T) {
	w := newWorld(t, nil)
	w.listen(t, "d")
	for _, other := range []string{"io.drogue.event.v1", "io.drogue.connection.v1", "io.drogue.command", "io.drogue.command.v2", "x"} {
		if got := w.do("/app", "x", anEvent("Bearer trigger", "Type="+other)); got.Code != 400 {
			t.Errorf("%s: %d", other, got.Code)
		}
	}
}

func TestOpenEvents(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Parts) { c.OpenEvents = true })
	f := func(want int, path string, change func(*http.Request)) {
		t.Helper()
		if got := w.do(path, "x", change); got.Code != want {
			t.Errorf("%s: %d %s, want %d", path, got.Code, got.Body, want)
		}
	}
	f(202, "/app", anEvent(""))
	f(400, "/app2", anEvent(""))
	f(404, "/app", anEvent("Bearer stranger"))
	f(403, Base+"/events", anEvent(""))
	f(404, toDevice, func(r *http.Request) { r.Header.Del("Authorization") })
}
