package registryfn

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/changes"
)

// share makes app-1 of alice, with a device, bob as manager, carol as admin, and dave as reader.
func share(w *world) {
	w.Helper()
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	w.ok("alice", "POST", devices, `{"metadata":{"name":"d"}}`)
	w.ok("alice", "PUT", admin+"/members", `{"members":{"bob":{"role":"manager"},"carol":{"role":"admin"},"dave":{"role":"reader"}}}`)
}

func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	share(w)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-2"}}`)
	const (
		everybody = "alice bob carol dave root part reading only-app-1"
		writers   = "alice bob carol root part only-app-1"
		admins    = "alice carol root only-app-1"
		owners    = "alice root only-app-1"
	)
	// permitted lists who may; everybody else, and somebody who has not signed in, gets the status and body.
	f := func(method, path, body, permitted string, status int, refusal string) {
		t.Helper()
		for _, who := range append(strings.Fields(everybody), "") {
			if who != "" && strings.Contains(" "+permitted+" ", " "+who+" ") {
				if a := w.as(who, method, path, body); a.status >= 300 {
					t.Errorf("%s %s as %s: %d %s", method, path, who, a.status, a.body)
				}
				continue
			}
			want, wantBody := status, refusal
			if who == "" && method != "GET" {
				want, wantBody = 403, deniedBody
			}
			w.as(who, method, path, body).want(t, want, wantBody)
		}
	}
	f("GET", app, "", everybody, 403, deniedBody)
	f("GET", devices, "", everybody, 404, notFoundBody)
	f("GET", device, "", everybody, 404, notFoundBody)
	f("PUT", app, `{"metadata":{"name":"app-1"}}`, writers, 403, deniedBody)
	f("PATCH", app, `{}`, writers, 403, deniedBody)
	f("PUT", device, `{"metadata":{"name":"d"}}`, writers, 404, notFoundBody)
	f("PATCH", device, `{}`, writers, 404, notFoundBody)
	f("GET", admin+"/members", "", admins, 404, notFoundBody)
	f("PUT", admin+"/members", `{"members":{"bob":{"role":"manager"},"carol":{"role":"admin"},"dave":{"role":"reader"}}}`, admins, 404, notFoundBody)
	f("GET", admin+"/transfer-ownership", "", owners, 404, notFoundBody)
	f("PUT", admin+"/transfer-ownership", `{"newUser":"dave"}`, owners, 404, notFoundBody)
	f("DELETE", admin+"/transfer-ownership", "", owners, 404, notFoundBody)
	for i, who := range append(strings.Fields(everybody), "") {
		body := fmt.Sprintf(`{"metadata":{"name":"e-%d"}}`, i)
		switch {
		case who == "":
			w.as(who, "POST", devices, body).want(t, 403, deniedBody)
		case strings.Contains(" "+writers+" ", " "+who+" "):
			w.as(who, "POST", devices, body).want(t, 201, "")
			w.as(who, "DELETE", devices+fmt.Sprintf("/e-%d", i), "").want(t, 204, "")
		default:
			w.as(who, "POST", devices, body).want(t, 404, referenceBody)
			w.as(who, "DELETE", device, "").want(t, 404, notFoundBody)
		}
	}
	// A token for one application knows of no other.
	w.as("only-app-1", "GET", apps+"/app-2", "").want(t, 403, deniedBody)
	w.as("only-app-1", "GET", apps, "").want(t, 200, `[{"metadata":{"name":"app-1","uid":"*","creationTimestamp":"*","generation":1,"resourceVersion":"*"}}]`)
	for _, who := range []string{"", "reading", "only-app-1"} {
		w.as(who, "POST", apps, `{"metadata":{"name":"app-3"}}`).want(t, 403, deniedBody)
	}
	for _, who := range []string{"bob", "dave", "part", "reading", ""} {
		w.as(who, "DELETE", app, "").want(t, 403, deniedBody)
	}
	w.as("carol", "DELETE", app, "").want(t, 204, "")
}

// What belongs to somebody else and what is not there look the same, where a name may be guessed.
func TestNothingIsToldOfOthers(t *testing.T) {
	w := newWorld(t)
	share(w)
	for _, request := range []struct{ method, path, body string }{
		{"GET", "%s/devices", ""},
		{"GET", "%s/devices/d", ""},
		{"PUT", "%s/devices/d", `{"metadata":{"name":"d"}}`},
		{"PUT", "%s/devices/d", `{"metadata":{"name":"d","uid":"x"}}`},
		{"PATCH", "%s/devices/d", `{"metadata":{"uid":"x"}}`},
		{"DELETE", "%s/devices/d", ""},
		{"DELETE", "%s/devices/d", `{"preconditions":{"uid":"x"}}`},
		{"POST", "%s/devices", `{"metadata":{"name":"d"}}`},
		{"POST", "%s/devices", `{"metadata":{"name":"new"}}`},
	} {
		theirs := w.as("eve", request.method, fmt.Sprintf(request.path, app), request.body)
		nobodys := w.as("eve", request.method, fmt.Sprintf(request.path, apps+"/nobody"), request.body)
		if theirs.status != nobodys.status || theirs.body != nobodys.body {
			t.Errorf("%s %s: %d %s, and %d %s where nothing is", request.method, request.path, theirs.status, theirs.body, nobodys.status, nobodys.body)
		}
	}
	for _, path := range []string{"/members", "/transfer-ownership"} {
		theirs, nobodys := w.as("eve", "GET", admin+path, ""), w.as("eve", "GET", strings.Replace(admin+path, "app-1", "nobody", 1), "")
		if theirs.status != nobodys.status || theirs.body != nobodys.body {
			t.Errorf("%s: %d %s, and %d %s where nothing is", path, theirs.status, theirs.body, nobodys.status, nobodys.body)
		}
	}
}

func TestPublicApplications(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	w.ok("alice", "POST", devices, `{"metadata":{"name":"d"}}`)
	w.as("", "GET", apps, "").want(t, 200, `[]`)
	w.ok("alice", "PUT", admin+"/members", `{"members":{"":{"role":"admin"}}}`)
	for _, who := range []string{"", "bob"} {
		w.as(who, "GET", apps, "").want(t, 200, `[{"metadata":{"name":"app-1","uid":"*","creationTimestamp":"*","generation":1,"resourceVersion":"*"}}]`)
		w.as(who, "GET", app, "").want(t, 200, "-")
		w.as(who, "GET", device, "").want(t, 200, "-")
		w.as(who, "PUT", app, `{"metadata":{"name":"app-1"}}`).want(t, 403, deniedBody)
		w.as(who, "GET", admin+"/members", "").want(t, 404, notFoundBody)
	}
}

func TestCredentialsThatAreNotTaken(t *testing.T) {
	w := newWorld(t)
	for _, request := range []struct{ method, path string }{{"GET", apps}, {"POST", apps}, {"GET", device}, {"GET", "/api/tokens/v1alpha1"}, {"GET", "/api/console/v1alpha1/info"}} {
		w.as("mallory", request.method, request.path, "").want(t, 403, `{"error":"Forbidden","message":"*"}`)
	}
	w.as("mallory", "GET", "/.well-known/drogue-endpoints", "").want(t, 200, "-")
}

// An application that was deleted and made anew by somebody else in the middle of a request is another one.
func TestApplicationChangesHandsUnderARequest(t *testing.T) {
	w := newWorld(t)
	share(w)
	swapped := false
	swap := func() {
		if swapped {
			return
		}
		swapped = true
		w.ok("alice", "DELETE", app, "")
		w.ok("bob", "POST", apps, `{"metadata":{"name":"app-1","labels":{"of":"bob"}}}`)
		w.ok("bob", "POST", devices, `{"metadata":{"name":"d","labels":{"of":"bob"}}}`)
	}
	for _, request := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", app, `{"metadata":{"name":"app-1"}}`, 404},
		{"PUT", device, `{"metadata":{"name":"d"}}`, 404},
		{"POST", devices, `{"metadata":{"name":"new"}}`, 404},
		{"DELETE", app, `{"preconditions":{}}`, 404},
		{"DELETE", device, `{"preconditions":{}}`, 404},
		{"PUT", admin + "/members", `{"members":{}}`, 404},
		{"PUT", admin + "/transfer-ownership", `{"newUser":"dave"}`, 404},
	} {
		if swapped {
			w.ok("bob", "DELETE", app, "")
			share(w)
			swapped = false
		}
		// The body arrives after the handler has seen whose application it is.
		r := httptest.NewRequest(request.method, request.path, &slow{Reader: strings.NewReader(request.body), before: swap})
		r.Header.Set("Authorization", "Bearer alice")
		if a := w.send(r, request.body); a.status != request.status || !swapped {
			t.Errorf("%s %s: %d %s, swapped %t", request.method, request.path, a.status, a.body, swapped)
		}
		for _, path := range []string{app, device} {
			if a := w.ok("bob", "GET", path, ""); a.text(t, "metadata", "labels", "of") != "bob" {
				t.Errorf("%s %s changed what is bob's: %s", request.method, request.path, a.body)
			}
		}
	}
}

// slow is a body that does something before it can be read.
type slow struct {
	*strings.Reader
	before func()
}

func (s *slow) Read(p []byte) (int, error) {
	s.before()
	return s.Reader.Read(p)
}

func TestNoChangesWhileTooManyWait(t *testing.T) {
	w := newWorld(t)
	share(w)
	for i := range 60 {
		w.ok("alice", "PATCH", device, fmt.Sprintf(`{"spec":{"i":%d}}`, i))
	}
	w.relay.Drain(t.Context()) // Kafka is away
	if !w.relay.Full() {
		t.Fatal("there is room")
	}
	for _, request := range []struct{ method, path string }{
		{"POST", apps}, {"PUT", app}, {"PATCH", app}, {"DELETE", app}, {"POST", devices}, {"PUT", device}, {"PATCH", device}, {"DELETE", device},
		{"PUT", admin + "/members"}, {"PUT", admin + "/transfer-ownership"}, {"DELETE", admin + "/transfer-ownership"}, {"PUT", admin + "/accept-ownership"},
	} {
		w.as("alice", request.method, request.path, "").want(t, 503, `{"error":"Overloaded","message":"*"}`)
	}
	w.as("alice", "GET", device, "").want(t, 200, "-")
	w.changes()
	w.handler.Changes = changes.New(changes.DefaultConfig(), w.store, w.redis, nowhere{}, nil)
	w.as("alice", "PATCH", device, `{}`).want(t, 204, "")
}

func TestDatabaseAway(t *testing.T) {
	w := newWorld(t)
	share(w)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, request := range []struct{ method, path, body string }{
		{"GET", apps, ""}, {"POST", apps, `{"metadata":{"name":"a"}}`}, {"GET", app, ""}, {"PUT", app, `{"metadata":{"name":"app-1"}}`}, {"DELETE", app, ""},
		{"GET", devices, ""}, {"GET", device, ""}, {"PATCH", device, `{}`}, {"GET", admin + "/members", ""}, {"DELETE", admin + "/transfer-ownership", ""},
	} {
		a := w.as("alice", request.method, request.path, request.body)
		a.want(t, 503, `{"error":"DatabaseError","message":"*"}`)
		if strings.Contains(a.body, "sql") || a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: %s %v", request.method, request.path, a.body, a.header)
		}
	}
	w.as("alice", "GET", "/api/tokens/v1alpha1", "").want(t, 503, `{"error":"Internal","message":"*"}`)
}
