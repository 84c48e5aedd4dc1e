//go:build integration

package e2e

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/registry"
)

// ask puts a question to the authentication function and returns its answer.
func ask(t *testing.T, operation, question string) answer {
	t.Helper()
	return curl(t, []byte(question), "--header", "Content-Type: application/json", here.auth.URL()+"/api/v1/"+operation)
}

// document is what the authentication function tells of the application, in JSON: what the data plane has a use for.
func (a *tenant) document() any {
	a.t.Helper()
	d, err := here.store.Application(bounded(a.t), a.name)
	if err != nil {
		a.t.Fatal(err)
	}
	told := registry.Sections{registry.SectionCore: d.Spec[registry.SectionCore]}
	return parsed(a.t, encoded(a.t, registry.Application{Metadata: d.Metadata, Spec: told}))
}

// deviceDocument is what it tells of a device: all but the credentials.
func (a *tenant) deviceDocument(name string) any {
	a.t.Helper()
	d, err := here.store.Device(bounded(a.t), a.name, name)
	if err != nil {
		a.t.Fatal(err)
	}
	told := d.Spec.Without(registry.SectionAuthentication, registry.SectionCredentials)
	return parsed(a.t, encoded(a.t, registry.Device{Metadata: d.Metadata, Spec: told}))
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func parsed(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

type object = map[string]any

// TestAuthenticationFunction is section 5.1 of the wire contract.
func TestAuthenticationFunction(t *testing.T) {
	a := newTenant(t)
	a.specify(`{"core":{"disabled":false},"downstream":{"password":"secret"},"ttn":{"api":{"apiKey":"secret"}}}`)
	a.device("device1", `{"authentication":{"credentials":[{"pass":"foo"}]},"credentials":{"credentials":[]},"alias":["one"],"custom":{"x":1}}`)
	a.device("device2", `{"authentication":{"credentials":[{"user":{"username":"joe","password":"bar"}}]}}`)
	a.device("gateway", password("g"))
	a.device("sensor", `{"gatewaySelector":{"matchNames":["gateway"]},"authentication":{"credentials":[{"pass":"s"}]}}`)
	a.device("keyed", `{"authentication":{"credentials":[
		{"psk":{"key":"b2xk","validity":{"notBefore":"2001-01-01T00:00:00Z","notAfter":"2002-01-01T00:00:00Z"}}},
		{"psk":{"key":"bmV3","validity":{"notBefore":"2001-01-01T00:00:00Z","notAfter":"2999-01-01T00:00:00Z"}}}]}}`)

	f := func(operation, question string, want any) {
		t.Helper()
		got := ask(t, operation, question)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != jsonContent {
			t.Errorf("%s %s: %d %s", operation, question, got.status, got.body)
			return
		}
		if diff := cmp.Diff(want, parsed(t, got.body)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", operation, question, diff)
		}
	}
	question := func(device, rest string) string {
		return `{"application":` + quote(a.name) + `,"device":` + quote(device) + rest + `}`
	}
	pass := func(members object) any { return object{"outcome": object{"pass": members}} }
	fail := object{"outcome": "fail"}
	both := object{"application": a.document(), "device": a.deviceDocument("device1")}

	f("auth", question("device1", `,"credential":{"pass":"foo"}`), pass(both))
	f("auth", question("one", `,"credential":{"pass":"foo"}`), pass(both))
	f("auth", question("device1", `,"credential":{"user":{"username":"device1","password":"foo"}}`), pass(both))
	f("auth", question("device1", `,"credential":{"pass":"foo"},"as":"device1"`), pass(both))
	f("auth", question("device2", `,"credential":{"user":{"username":"joe","password":"bar"}}`),
		pass(object{"application": a.document(), "device": a.deviceDocument("device2")}))
	f("auth", question("gateway", `,"credential":{"pass":"g"},"as":"sensor"`),
		pass(object{"application": a.document(), "device": a.deviceDocument("gateway"), "as": a.deviceDocument("sensor")}))
	f("auth", question("device1", `,"credential":{"pass":"bar"}`), fail)
	f("auth", question("device0", `,"credential":{"pass":"foo"}`), fail)
	f("auth", question("device2", `,"credential":{"pass":"bar"}`), fail)
	f("auth", question("gateway", `,"credential":{"pass":"g"},"as":"device1"`), fail)
	f("auth", question("device1", `,"credential":{"cert":[[48,3,2,1,0]]}`), fail)

	f("authorize_as", question("gateway", `,"as":"sensor"`), pass(object{"as": a.deviceDocument("sensor")}))
	f("authorize_as", question("gateway", `,"as":"device1"`), fail)
	f("authorize_as", question("device1", `,"as":"sensor"`), fail)

	key := object{"key": "bmV3", "validity": object{"notBefore": "2001-01-01T00:00:00Z", "notAfter": "2999-01-01T00:00:00Z"}}
	f("keys", question("keyed", ""), object{"outcome": object{"Found": object{
		"app": a.document(), "device": a.deviceDocument("keyed"), "key": key}}})
	f("keys", question("device1", ""), object{"outcome": "NotFound"})
	f("keys", question("device0", ""), object{"outcome": "NotFound"})

	if got := ask(t, "auth", `{"application":`); got.status != http.StatusBadRequest {
		t.Errorf("broken JSON: %d %s", got.status, got.body)
	}
	if got := ask(t, "nothing", `{}`); got.status != http.StatusNotFound {
		t.Errorf("unknown operation: %d %s", got.status, got.body)
	}
}
