package registryfn

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestDevice(t *testing.T) {
	w := newWorld(t)
	const body = `{"metadata":{"name":"d","application":"app-1"},"spec":{"credentials":{"credentials":[{"pass":"foo"},{"user":{"username":"foo","password":"bar"}}]},"alias":["baz","42","waldo"],"mine":{"n":1.0}}}`
	w.as("alice", "GET", device, "").want(t, 404, notFoundBody)
	w.as("alice", "GET", devices, "").want(t, 404, notFoundBody)
	w.as("alice", "POST", devices, body).want(t, 404, referenceBody)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	w.as("alice", "GET", device, "").want(t, 404, "")
	w.as("alice", "PUT", device, body).want(t, 404, notFoundBody)
	w.as("alice", "PATCH", device, `{}`).want(t, 404, notFoundBody)
	w.as("alice", "DELETE", device, "").want(t, 404, notFoundBody)

	created := w.as("alice", "POST", devices, body)
	created.want(t, 201, "")
	if got := created.header.Get("Location"); got != "https://api.example.com/api/registry/v1alpha1/apps/app-1/devices/d" {
		t.Errorf("Location %q", got)
	}
	const metadata = `{"metadata":{"name":"d","application":"app-1","uid":"*","creationTimestamp":"*","generation":`
	w.as("alice", "GET", device, "").want(t, 200, metadata+`1,"resourceVersion":"*"},"spec":{"credentials":{"credentials":[{"pass":"foo"},{"user":{"username":"foo","password":"bar"}}]},"alias":["baz","42","waldo"],"mine":{"n":1.0}}}`)
	w.as("alice", "GET", devices+"/baz", "").want(t, 404, "") // an alias is for the data plane
	w.as("alice", "PUT", device, `{"metadata":{"name":"d","application":"app-1"},"spec":{"credentials":{"credentials":[{"pass":"foo"}]},"alias":["baz"]}}`).want(t, 204, "")
	w.as("alice", "GET", device, "").want(t, 200, metadata+`2,"resourceVersion":"*"},"spec":{"credentials":{"credentials":[{"pass":"foo"}]},"alias":["baz"]}}`)
	if !w.redis.heard("app-1/d") {
		t.Error("Redis has not heard of it")
	}

	conflicting := func(body, field string) {
		t.Helper()
		a := w.as("alice", "POST", devices, body)
		a.want(t, 409, conflictBody)
		if !strings.Contains(a.body, field) {
			t.Errorf("%s: %s, want %s", body, a.body, field)
		}
	}
	conflicting(`{"metadata":{"name":"d"}}`, "metadata.name")
	conflicting(`{"metadata":{"name":"baz"}}`, "metadata.name")
	conflicting(`{"metadata":{"name":"e"},"spec":{"alias":["d"]}}`, "spec.alias")
	conflicting(`{"metadata":{"name":"e"},"spec":{"authentication":{"credentials":[{"user":{"username":"baz","password":"x","unique":true}}]}}}`, "username")

	w.as("alice", "DELETE", device, "").want(t, 204, "")
	w.as("alice", "DELETE", device, "").want(t, 404, notFoundBody)
	w.as("alice", "GET", device, "").want(t, 404, "")
}

func TestDevicesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	w.ok("alice", "POST", devices, `{"metadata":{"name":"d"}}`)
	f := func(body, message string) {
		t.Helper()
		for method, path := range map[string]string{"POST": devices, "PUT": device} {
			got := w.as("alice", method, path, body)
			got.want(t, 400, badRequestBody)
			if !strings.Contains(got.text(t, "message"), message) {
				t.Errorf("%s %.60s: %s, want %q", method, body, got.body, message)
			}
		}
	}
	f(`{"metadata":{"application":"app-1","name":""}}`, "metadata.name")
	f(`{"metadata":{"name":"d","application":"other"}}`, "metadata.application")
	f(`{"metadata":{"name":"d","nickname":"x"}}`, "nickname")
	f(`{"metadata":{"name":"d"},"spec":{"core":1}}`, "spec.core")
	f(`{"metadata":{"name":"d"},"spec":{"alias":{"a":1}}}`, "alias")
	f(`{"metadata":{"name":"d"},"spec":{"alias":[""]}}`, "spec.alias")
	f(`{"metadata":{"name":"d"},"spec":{"authentication":{"credentials":[{"pass":{"md5":"hey-rodney"}}]}}}`, "authentication")
	f(`{"metadata":{"name":"d"},"spec":{"gatewaySelector":[]}}`, "spec.gatewaySelector")
	f(`{"metadata":{"name":"d"},"spec":{"":1}}`, "spec")
	w.as("alice", "POST", devices, `{"metadata":{"name":"`+strings.Repeat("x", 256)+`"}}`).want(t, 400, badRequestBody)
	w.as("alice", "POST", devices, `{"metadata":{"name":"a\u0000b"}}`).want(t, 400, badRequestBody)
	w.as("alice", "PUT", device, `{"metadata":{"name":"e"}}`).want(t, 400, badRequestBody)
	got := w.as("alice", "POST", devices, `{"metadata":{"name":"e"},"spec":{"authentication":{"credentials":[{"pass":{"md5":"hey-rodney"}}]}}}`)
	if strings.Contains(got.body, "rodney") {
		t.Errorf("the answer tells the password: %s", got.body)
	}
}

// TestDotsAreNoName has what many clients take out of a path: who deletes such a device with them deletes the application.
func TestDotsAreNoName(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	for _, name := range []string{".", ".."} {
		w.as("alice", "POST", devices, `{"metadata":{"name":"`+name+`"}}`).want(t, 400, badRequestBody)
		w.as("alice", "POST", devices, `{"metadata":{"name":"d"},"spec":{"alias":["`+name+`"]}}`).want(t, 400, badRequestBody)
	}
}

// TestMembersThatStandTwice has JSON of which readers see different documents.
func TestMembersThatStandTwice(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	warned := func(a answer, want ...string) {
		t.Helper()
		if got := a.header.Values("Warning"); a.status > 299 || !slices.Equal(got, want) {
			t.Errorf("%d %s: warnings %q, want %q", a.status, a.body, got, want)
		}
	}
	const pass = `{"credentials":[{"pass":"forgotten"}],"credentials":[{"pass":"hey-rodney"}]}`
	warned(w.as("alice", "POST", devices, `{"metadata":{"name":"d"},"spec":{"x":{},"authentication":`+pass+`,"core":{"disabled":"no"},"core":{"disable":true}}}`),
		`299 - "spec.authentication.credentials: is there twice; the last one counts"`,
		`299 - "spec.core: is there twice; the last one counts"`,
		`299 - "spec.core.disable: is not known; is disabled meant?"`)
	if got := w.as("alice", "GET", device, "").body; strings.Contains(got, "forgotten") || !strings.Contains(got, "hey-rodney") {
		t.Errorf("stored: %s", got)
	}
	warned(w.as("alice", "PATCH", device, `{"spec":{"y":[{"a":"forgotten","a":"kept"}]}}`), `299 - "spec.y[0].a: is there twice; the last one counts"`,
		`299 - "spec.core.disable: is not known; is disabled meant?"`)
	warned(w.as("alice", "PUT", device, `{"metadata":{"name":"d","name":"d"}}`), `299 - "metadata.name: is there twice; the last one counts"`)
	warned(w.as("alice", "PUT", device, `{"metadata":{"name":"d"}}`))

	w.as("alice", "DELETE", device, `{"preconditions":{"uid":"x"},"preconditions":{}}`).want(t, 400, badRequestBody)
	w.as("alice", "PUT", "/api/admin/v1alpha1/apps/app-1/members", `{"members":{"bob":{"role":"reader"},"bob":{"role":"admin"}}}`).want(t, 400, badRequestBody)
	// Names that differ in case are not the same, and not known.
	w.as("alice", "PUT", device, `{"metadata":{"name":"d"},"Spec":{"core":{"disabled":true}}}`).want(t, 400, badRequestBody)
	w.as("alice", "PATCH", device, `{"Spec":{"core":{"disabled":true}}}`).want(t, 400, badRequestBody)
	w.as("alice", "POST", devices, `{"metadata":{"Name":"e"}}`).want(t, 400, badRequestBody)
	w.as("alice", "POST", devices, "{\"metadata\":{\"name\":\"\xff\"}}").want(t, 400, badRequestBody)
}

func TestDeviceNames(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	for _, name := range []string{"with space", "a/b", "...", ".a", "%2F", "ünïcode 😀", "?a=b#c", "a+b", "a:b@c", strings.Repeat("x", 255)} {
		body, err := encode(map[string]any{"metadata": map[string]any{"name": name}})
		if err != nil {
			t.Fatal(err)
		}
		path := devices + "/" + strings.ReplaceAll(url.PathEscape(name), ".", "%2E")
		if got := w.as("alice", "POST", devices, string(body)).header.Get("Location"); got != "https://api.example.com"+devices+"/"+url.PathEscape(name) {
			t.Errorf("%q: Location %q", name, got)
		}
		a := w.as("alice", "GET", path, "")
		if a.status != 200 || a.text(t, "metadata", "name") != name {
			t.Errorf("%q: %d %s", name, a.status, a.body)
		}
		w.as("alice", "PUT", path, string(body)).want(t, 204, "")
		w.as("alice", "DELETE", path, "").want(t, 204, "")
	}
}
