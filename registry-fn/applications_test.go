package registryfn

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

func TestApplication(t *testing.T) {
	w := newWorld(t)
	w.as("alice", "GET", app, "").want(t, 404, "")
	w.as("alice", "PUT", app, `{"metadata":{"name":"app-1"}}`).want(t, 404, notFoundBody)
	w.as("alice", "DELETE", app, "").want(t, 404, notFoundBody)

	created := w.as("alice", "POST", apps, `{"metadata":{"name":"app-1","labels":{"foo":"bar","foo/bar":"baz"}}}`)
	created.want(t, 201, "")
	if got := created.header.Get("Location"); got != "https://api.example.com/api/registry/v1alpha1/apps/app-1" {
		t.Errorf("Location %q", got)
	}
	if c := w.changes(); len(c) != 1 || c[0].Paths[0] != "." || !w.redis.heard("app-1/") {
		t.Errorf("changes %+v", c)
	}
	w.as("bob", "POST", apps, `{"metadata":{"name":"app-1"}}`).want(t, 409, `{"error":"Conflict","message":"Conflict: metadata.name: is taken already"}`)

	first := w.as("alice", "GET", app, "")
	first.want(t, 200, `{"metadata":{"name":"app-1","uid":"*","creationTimestamp":"*","generation":1,"resourceVersion":"*","labels":{"foo":"bar","foo/bar":"baz"}}}`)

	w.as("alice", "PUT", app, `{"metadata":{"name":"app-1","labels":{"foo":"bar","baz/bar":"foo"}},"spec":{"core":{"disabled":true}}}`).want(t, 204, "")
	second := w.as("alice", "GET", app, "")
	second.want(t, 200, `{"metadata":{"name":"app-1","uid":"`+first.text(t, "metadata", "uid")+`","creationTimestamp":"`+first.text(t, "metadata", "creationTimestamp")+
		`","generation":2,"resourceVersion":"*","labels":{"foo":"bar","baz/bar":"foo"}},"spec":{"core":{"disabled":true}}}`)
	if second.text(t, "metadata", "resourceVersion") == first.text(t, "metadata", "resourceVersion") {
		t.Error("the resource version stayed")
	}
	if c := w.changes(); len(c) != 1 || strings.Join(c[0].Paths, " ") != ".metadata .spec.core" {
		t.Errorf("changes %+v", c)
	}
	// What a reader gets may be written back, and changes nothing.
	w.as("alice", "PUT", app, second.body).want(t, 204, "")
	if c := w.changes(); len(c) != 0 {
		t.Errorf("changes %+v", c)
	}

	w.as("alice", "DELETE", app, "").want(t, 204, "")
	w.as("alice", "DELETE", app, "").want(t, 404, notFoundBody)
	w.as("alice", "GET", app, "").want(t, 404, "")
}

// leftovers are how often it is said of a name that a topic is left of it.
type leftovers map[string]int

func (l leftovers) Leftover(_ context.Context, application string) (bool, error) {
	l[application]--
	return l[application] >= 0, nil
}

func TestNameWaitsForTheTopicOfAnEarlierApplication(t *testing.T) {
	w := newWorld(t)
	w.handler.config.Timeout = 2 * time.Second
	left := leftovers{"soon": 3, "stuck": 1000}
	w.handler.Topics = left
	w.as("alice", "POST", apps, `{"metadata":{"name":"soon"}}`).want(t, 201, "")
	if left["soon"] != -1 {
		t.Errorf("made while its topic was left, %d looks before the last one", left["soon"]+1)
	}
	stuck := w.as("alice", "POST", apps, `{"metadata":{"name":"stuck"}}`)
	stuck.want(t, 503, `{"error":"ServiceUnavailable","message":"The events of an earlier application of that name are still being deleted; try again later"}`)
	if stuck.header.Get("Retry-After") == "" {
		t.Error("nothing says when to try again")
	}
	w.as("alice", "GET", apps+"/stuck", "").want(t, 404, "")
	left["soon"] = 1000
	w.as("bob", "POST", apps, `{"metadata":{"name":"soon"}}`).want(t, 409, `{"error":"Conflict","message":"Conflict: metadata.name: is taken already"}`)
}

func TestApplicationsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	f := func(body, message string) {
		t.Helper()
		for _, method := range []string{"POST", "PUT"} {
			path := apps
			if method == "PUT" {
				path = app
			}
			got := w.as("alice", method, path, body)
			got.want(t, 400, badRequestBody)
			if !strings.Contains(got.text(t, "message"), message) {
				t.Errorf("%s %.60s: %s, want %q", method, body, got.body, message)
			}
		}
	}
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	w.changes()
	f(``, "not JSON")
	f(`{`, "not JSON")
	f(`[]`, "must not be a array")
	f(`null`, "metadata.name")
	f(`{}`, "metadata.name")
	f(`{"metadata":{"name":"app-1"}} x`, "something follows")
	f(`{"metadata":{"name":"app-1","colour":"red"}}`, "colour")
	f(`{"metadata":{"name":"app-1"},"data":{}}`, "data")
	f(`{"metadata":{"name":5}}`, "metadata.name")
	f(`{"metadata":{"name":"app-1","labels":{"a":5}}}`, "metadata.labels")
	f(`{"metadata":{"name":"app-1","creationTimestamp":"yesterday"}}`, "")
	f(`{"metadata":{"name":"app-1","application":"other"}}`, "metadata.application")
	f(`{"metadata":{"name":"app-1"},"spec":{"core":[]}}`, "spec.core")
	f(`{"metadata":{"name":"app-1"},"spec":{"trustAnchors":[]}}`, "spec")
	f(`{"metadata":{"name":"app-1","labels":{"":"x"}}}`, "metadata.labels")
	f(`{"metadata":{"name":"app-1","finalizers":["a","a"]}}`, "metadata.finalizers")
	f(`{"metadata":{"name":"app-2","labels":"x"}}`, "metadata.labels")

	post := func(name string) {
		t.Helper()
		w.as("alice", "POST", apps, fmt.Sprintf(`{"metadata":{"name":%q}}`, name)).want(t, 400, badRequestBody)
	}
	post("")
	post("-invalid-name")
	post("myApp")
	post("a_b")
	post("a..b")
	post(strings.Repeat("a", 64))
	w.as("alice", "PUT", app, `{"metadata":{"name":"app-2"}}`).want(t, 400, `{"error":"BadRequest","message":"Bad request: metadata.name: must be the name in the path"}`)
	w.as("alice", "POST", apps, `{"metadata":{"name":"app-2"},"spec":{"x":"`+strings.Repeat("x", 64<<10)+`"}}`).want(t, 413, `{"error":"PayloadTooLarge","message":"*"}`)
	w.as("alice", "POST", apps, `{"metadata":{"name":"app-2"}}`, "Content-Type", "text/plain").want(t, 400, badRequestBody)
	w.as("alice", "POST", apps, `{"metadata":{"name":"app-2"}}`, "Content-Type", "application/json; charset=utf-8").want(t, 201, "")
	if c := w.changes(); len(c) != 1 {
		t.Errorf("changes %+v", c)
	}
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	w.ok("alice", "POST", devices, `{"metadata":{"name":"d","application":"app-1"}}`)
	for path, name := range map[string]string{app: `"name":"app-1"`, device: `"name":"d","application":"app-1"`} {
		stored := w.ok("alice", "GET", path, "")
		uid, version := stored.text(t, "metadata", "uid"), stored.text(t, "metadata", "resourceVersion")
		put := func(metadata string, want int, body string) {
			t.Helper()
			w.as("alice", "PUT", path, `{"metadata":{`+name+`,`+metadata+`}}`).want(t, want, body)
			w.as("alice", "PATCH", path, `{"metadata":{`+metadata+`}}`).want(t, want, body)
		}
		const noTagsBody = `{"error":"PreconditionFailed","message":"Documents have no entity tags; say metadata.uid or metadata.resourceVersion in the body"}`
		for _, condition := range [][2]string{{"If-Match", `"` + version + `"`}, {"If-Match", `W/"a", "b"`}, {"If-None-Match", "*"}} {
			w.as("alice", "PUT", path, `{"metadata":{`+name+`}}`, condition[0], condition[1]).want(t, 412, noTagsBody)
			w.as("alice", "PATCH", path, `{}`, condition[0], condition[1]).want(t, 412, noTagsBody)
			w.as("alice", "DELETE", path, "", condition[0], condition[1]).want(t, 412, noTagsBody)
		}
		w.as("alice", "PATCH", path, `{}`, "If-Match", "*").want(t, 204, "")
		w.as("alice", "GET", path, "", "If-Match", `"a"`).want(t, 200, stored.body)
		put(`"uid":"another"`, 409, conflictBody)
		put(`"resourceVersion":"another"`, 409, conflictBody)
		put(`"uid":"`+uid+`","resourceVersion":"another"`, 409, conflictBody)
		put(`"uid":"`+uid+`","resourceVersion":"`+version+`"`, 204, "")
		put(`"uid":"","resourceVersion":""`, 204, "")
		put(`"labels":{"now":"new"}`, 204, "")
		put(`"resourceVersion":"`+version+`"`, 409, conflictBody)

		remove := func(preconditions string, want int, body string) {
			t.Helper()
			w.as("alice", "DELETE", path, `{"preconditions":{`+preconditions+`}}`).want(t, want, body)
		}
		remove(`"uid":"another"`, 409, conflictBody)
		remove(`"resourceVersion":"`+version+`"`, 409, conflictBody)
		remove(`"version":"x"`, 400, badRequestBody)
		w.as("alice", "DELETE", path, `{`).want(t, 400, badRequestBody)
	}
	for _, path := range []string{device, app} {
		now := w.ok("alice", "GET", path, "")
		w.as("alice", "DELETE", path, `{"preconditions":{"uid":"`+now.text(t, "metadata", "uid")+`","resourceVersion":"`+now.text(t, "metadata", "resourceVersion")+`"}}`).want(t, 204, "")
	}
}

// Only services write a status, and nobody the trust anchors in it.
func TestStatus(t *testing.T) {
	w := newWorld(t)
	const ready = `"status":{"conditions":[{"type":"KafkaReady","status":"True"}],"trustAnchors":{"anchors":[{"valid":{"subject":"CN=forged","certificate":"AA==","notBefore":"2020-01-01T00:00:00Z","notAfter":"2099-01-01T00:00:00Z"}}]}}`
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"},`+ready+`}`)
	w.ok("alice", "POST", devices, `{"metadata":{"name":"d"},"status":{"x":1}}`)
	status := func(path string, want string) {
		t.Helper()
		got, err := encode(w.ok("alice", "GET", path, "").field(t, "status"))
		if err != nil || string(got) != want {
			t.Errorf("%s: status %s, %v, want %s", path, got, err, want)
		}
	}
	status(app, `null`)
	status(device, `null`)
	const kept = `{"conditions":[{"status":"True","type":"KafkaReady"}]}`
	w.ok("part", "PUT", app, `{"metadata":{"name":"app-1"},`+ready+`}`)
	w.ok("part", "PATCH", device, `{"status":{"x":1}}`)
	status(app, kept)
	status(device, `{"x":1}`)
	for _, who := range []string{"alice", "root"} {
		w.ok(who, "PUT", app, `{"metadata":{"name":"app-1"},"status":{"conditions":[]},"spec":{"by":"`+who+`"}}`)
		w.ok(who, "PATCH", app, `{"status":null,"spec":{"also":1}}`)
		w.ok(who, "PUT", device, `{"metadata":{"name":"d"},"status":{"x":2,"y":3}}`)
		w.ok(who, "PATCH", device, `{"status":{"x":2}}`)
		status(app, kept)
		status(device, `{"x":1}`)
	}
	w.ok("part", "PUT", app, `{"metadata":{"name":"app-1"}}`)
	w.ok("part", "PUT", device, `{"metadata":{"name":"d"}}`)
	status(app, `null`)
	status(device, `null`)
}

func TestTrustAnchors(t *testing.T) {
	w := newWorld(t)
	anchors := func(certificates ...string) string {
		list := make([]string, len(certificates))
		for i, c := range certificates {
			list[i] = `{"certificate":"` + c + `"}`
		}
		return `{"metadata":{"name":"%s"},"spec":{"trustAnchors":{"anchors":[` + strings.Join(list, ",") + `]}}}`
	}
	authority := certificateAuthority(t, "Application 1")
	w.ok("alice", "POST", apps, fmt.Sprintf(anchors(authority, "bm90aGluZw=="), "app-1"))
	w.ok("alice", "GET", app, "").want(t, 200, `{"metadata":{"name":"app-1","uid":"*","creationTimestamp":"*","generation":1,"resourceVersion":"*"},
		"spec":{"trustAnchors":{"anchors":[{"certificate":"`+authority+`"},{"certificate":"bm90aGluZw=="}]}},
		"status":{"trustAnchors":{"anchors":[
			{"valid":{"subject":"O=Drogue IoT, OU=Cloud, CN=Application 1","certificate":"*","notBefore":"*","notAfter":"*"}},
			{"invalid":{"error":"InvalidCertificate","message":"*"}}]}}}`)
	found, err := w.store.Anchored(t.Context(), "O=Drogue IoT, OU=Cloud, CN=Application 1")
	if err != nil || len(found) != 1 || found[0] != "app-1" {
		t.Errorf("the subject finds %v, %v", found, err)
	}
	// Nobody can keep somebody else from having it: a trust anchor is a key, and not a name.
	w.as("alice", "PATCH", app, `{"spec":{"trustAnchors":null}}`).want(t, 204, "")
	w.ok("alice", "GET", app, "").want(t, 200, `{"metadata":{"name":"app-1","uid":"*","creationTimestamp":"*","generation":2,"resourceVersion":"*"}}`)
	w.as("bob", "POST", apps, fmt.Sprintf(anchors(authority), "app-2")).want(t, 201, "")
	w.as("alice", "PATCH", app, `{"spec":{"trustAnchors":{"anchors":[{"certificate":"`+authority+`"}]}}}`).want(t, 204, "")
	w.as("alice", "PATCH", app, `{"spec":{"trustAnchors":"none"}}`).want(t, 400, badRequestBody)
}

func TestFinalizers(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1","finalizers":["kafka"]}}`)
	w.ok("alice", "POST", devices, `{"metadata":{"name":"d","finalizers":["ttn"]}}`)
	w.ok("alice", "POST", devices, `{"metadata":{"name":"e"}}`)
	w.as("alice", "DELETE", app, "").want(t, 204, "")
	w.as("alice", "GET", devices+"/e", "").want(t, 404, "")
	w.as("alice", "GET", app, "").want(t, 200, `{"metadata":{"name":"app-1","uid":"*","creationTimestamp":"*","generation":1,"resourceVersion":"*","deletionTimestamp":"*","finalizers":["kafka","has-devices"]}}`)
	w.as("alice", "GET", device, "").want(t, 200, `{"metadata":{"name":"d","application":"app-1","uid":"*","creationTimestamp":"*","generation":1,"resourceVersion":"*","finalizers":["ttn"]}}`)
	w.as("alice", "DELETE", app, "").want(t, 404, notFoundBody)
	w.as("alice", "POST", devices, `{"metadata":{"name":"f"}}`).want(t, 404, referenceBody)

	w.as("alice", "PUT", app, `{"metadata":{"name":"app-1"}}`).want(t, 204, "") // it still has a device
	w.as("alice", "DELETE", device, "").want(t, 204, "")
	w.as("alice", "DELETE", device, "").want(t, 404, notFoundBody)
	w.changes()
	w.as("alice", "PATCH", device, `{"metadata":{"finalizers":null}}`).want(t, 204, "")
	w.as("alice", "GET", app, "").want(t, 404, "")
	if c := w.changes(); len(c) != 2 || !c[0].Deleted || c[0].Device != "d" || !c[1].Deleted || c[1].Kind != registry.ApplicationChanged {
		t.Errorf("changes %+v", c)
	}
}
