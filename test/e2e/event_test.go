//go:build integration

package e2e

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// uuid4 is a random UUID (RFC 9562 section 5.4).
var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// TestTheContractsExample is section 8.6 of the wire contract, word for word.
func TestTheContractsExample(t *testing.T) {
	a := namedTenant(t, "my-app")
	a.device("dev-1", password("hey-rodney"))
	before := time.Now()
	accepted(t, "the message", post(t, here.telemetry.URL()+"/v1/temp", "dev-1@my-app:hey-rodney", `{"t": 1}`, mediaType("application/json")...))
	after := time.Now()

	if a.topic != "events-my-app" {
		t.Errorf("topic %s", a.topic)
	}
	r := a.only()
	if want := "my%2Dapp/dev%2D1"; r.key != want {
		t.Errorf("key %q, want %q", r.key, want)
	}
	if want := `{"t":1}`; r.payload != want {
		t.Errorf("value %q, want %q", r.payload, want)
	}
	if id := r.headers["ce_id"]; !uuid4.MatchString(id) {
		t.Errorf("ce_id %q is not a random UUID", id)
	}
	at, err := time.Parse(time.RFC3339Nano, r.headers["ce_time"])
	if err != nil || at.Before(before) || at.After(after) {
		t.Errorf("ce_time %q (%v), want between %s and %s", r.headers["ce_time"], err, before, after)
	}
	if _, offset := at.Zone(); offset != 0 {
		t.Errorf("ce_time %q is not UTC", r.headers["ce_time"])
	}
	want := map[string]string{
		"ce_specversion":    "1.0",
		"ce_id":             r.headers["ce_id"],
		"ce_type":           "io.drogue.event.v1",
		"ce_source":         "drogue://my-app/dev%2D1",
		"ce_subject":        "temp",
		"ce_time":           r.headers["ce_time"],
		"ce_application":    "my-app",
		"ce_applicationuid": a.uid(),
		"ce_device":         "dev-1",
		"ce_deviceuid":      a.deviceUID("dev-1"),
		"ce_sender":         "dev-1",
		"ce_senderuid":      a.deviceUID("dev-1"),
		"ce_instance":       "drogue",
		"ce_partitionkey":   "my%2Dapp/dev%2D1",
		"content-type":      "application/json",
	}
	if diff := cmp.Diff(want, r.headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestContentTypes(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	cases := []struct{ declared, body, wantType, wantValue string }{
		{"application/json", `{"a": 1, "a": 21.50}`, "application/json", `{"a":21.50}`},
		{"application/json; charset=utf-8", " [1, 2] ", "application/json", "[1,2]"},
		{"text/json", `"x"`, "application/json", `"x"`},
		{"application/senml+json", `[{"n": "t"}]`, "application/json", `[{"n":"t"}]`},
		{"Application/JSON ; charset=UTF-8", "[1, 2]", "application/json", "[1,2]"},
		{"application/jsonl", `$.a`, "application/jsonl", `$.a`},
		{"application/json-seq", "\x1e{broken", "application/json-seq", "\x1e{broken"},
		{"application/json5", "{a: 1}", "application/json5", "{a: 1}"},
		{"application/jsonpath", "$.a", "application/jsonpath", "$.a"},
		{"application/notjson", "{", "application/notjson", "{"},
		{"text/plain; charset=utf-8", `{"a": 1}`, "text/plain; charset=utf-8", `{"a": 1}`},
		{"application/cbor", "\xa1\x00\xff", "application/cbor", "\xa1\x00\xff"},
		{"", ` {"a": 1}`, "application/json", `{"a":1}`},
		{"", "21.5 degrees", "application/octet-stream", "21.5 degrees"},
		{"", "", "application/octet-stream", ""},
	}
	for i, c := range cases {
		accepted(t, c.declared, post(t, here.telemetry.URL()+"/v1/"+channel(i), "d@"+a.name+":p", c.body, mediaType(c.declared)...))
	}
	stored := a.bySubject()
	for i, c := range cases {
		r, ok := stored[channel(i)]
		if !ok {
			t.Errorf("%q %q is not stored", c.declared, c.body)
			continue
		}
		if got := r.headers["content-type"]; got != c.wantType {
			t.Errorf("%q %q: type %q, want %q", c.declared, c.body, got, c.wantType)
		}
		if c.wantValue == "" { // kcat prints no empty value
			continue
		}
		if got := a.value(r); !bytes.Equal(got, []byte(c.wantValue)) {
			t.Errorf("%q %q: value %q, want %q", c.declared, c.body, got, c.wantValue)
		}
	}
}

// channel names a channel of its own for each case of a table.
func channel(i int) string { return "case-" + string(rune('a'+i)) }

func TestDataSchema(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	f := func(schema string) {
		t.Helper()
		accepted(t, schema, post(t, here.telemetry.URL()+"/v1/x?data_schema="+schema, "d@"+a.name+":p", "21"))
	}
	f("urn:example:mod5")
	f("https%3A%2F%2Fexample.com%2Fschemas%2F1.json%23part")
	var got []string
	for _, r := range a.records() {
		got = append(got, r.headers["ce_dataschema"])
	}
	want := []string{"urn:example:mod5", "https://example.com/schemas/1.json#part"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("schemas (-want +got):\n%s", diff)
	}
}

func TestChannels(t *testing.T) {
	a := newTenant(t)
	a.device("d", password("p"))
	f := func(path, want string) {
		t.Helper()
		accepted(t, path, post(t, here.telemetry.URL()+path, "d@"+a.name+":p", "x"))
		if _, ok := a.bySubject()[want]; !ok {
			t.Errorf("%s: no event in %q", path, want)
		}
	}
	f("/v1/plain", "plain")
	f("/v1/suffixed/is/ignored", "suffixed")
	f("/v1/spaced%20out%2Fdeep", "spaced out/deep")
	f("/v1/gr%C3%BC%C3%9Fe", "grüße")
}

func TestGateway(t *testing.T) {
	a := newTenant(t)
	a.device("gate-way", password("g"))
	a.device("sensor-1", `{"gatewaySelector":{"matchNames":["gate-way"]},"alias":["north wall"]}`)
	a.device("stranger", `{"gatewaySelector":{"matchNames":["another"]}}`)
	a.device("free", `{}`)
	url := here.telemetry.URL() + "/v1/x?as="
	user := "gate-way@" + a.name + ":g"

	for _, target := range []string{"stranger", "free", "nobody"} {
		refused(t, target, post(t, url+target, user, "x"))
	}
	a.empty()

	accepted(t, "by alias", post(t, url+"north%20wall", user, "x"))
	r := a.only()
	application := regexp.MustCompile("-").ReplaceAllString(a.name, "%2D")
	want := map[string]string{
		"ce_source":       "drogue://" + a.name + "/sensor%2D1",
		"ce_device":       "sensor-1",
		"ce_deviceuid":    a.deviceUID("sensor-1"),
		"ce_sender":       "gate-way",
		"ce_senderuid":    a.deviceUID("gate-way"),
		"ce_partitionkey": application + "/gate%2Dway",
	}
	for name, value := range want {
		if r.headers[name] != value {
			t.Errorf("%s %q, want %q", name, r.headers[name], value)
		}
	}
	if r.key != want["ce_partitionkey"] {
		t.Errorf("key %q", r.key)
	}
	accepted(t, "for itself", post(t, url+"gate-way", user, "x"))
	accepted(t, "by name", post(t, url+"sensor-1", user, "x"))
}
