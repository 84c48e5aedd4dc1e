package registry

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeStrict(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var d Device
		got := "<nil>"
		if err := DecodeStrict([]byte(text), &d); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	f(`{"metadata":{"name":"a","labels":{"Name":"x"}},"spec":{"Core":{"Disabled":true}}} `, "<nil>")
	f(`{"Metadata":{"name":"a"}}`, `json: unknown field "Metadata"`)
	f(`{"metadata":{"name":"a"},"SPEC":{}}`, `json: unknown field "SPEC"`)
	f(`{"metadata":{"name":"a","Name":"b"}}`, `json: unknown field "Name"`)
	f(`{"\u017fpec":{}}`, "json: unknown field \"ſpec\"")
	f(`{"metadata":{"name":"a"},"other":{}}`, `json: unknown field "other"`)
	f(`{"spec":{"x":`+strings.Repeat("[", MaxDepth-2)+strings.Repeat("]", MaxDepth-2)+`}}`, "<nil>")
	f(`{"spec":{"x":`+strings.Repeat("[", MaxDepth-1)+strings.Repeat("]", MaxDepth-1)+`}}`, "nested more than 100 deep")
	f(`{} {}`, "something follows the JSON document")
	f("{\"metadata\":{\"name\":\"\xff\"}}", "not valid UTF-8")

	var wanted struct {
		Members map[string]struct{ Role string } `json:"members"`
		List    []struct{ Role string }          `json:"list"`
	}
	for _, text := range []string{`{"members":{"Ada":{"role":"r"}}}`, `{"list":[{"Role":"r"},{"role":"r"}]}`} {
		if err := DecodeStrict([]byte(text), &wanted); err == nil || !strings.Contains(err.Error(), `"role"`) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTwice(t *testing.T) {
	f := func(text, once string, paths ...string) {
		t.Helper()
		var got []string
		for _, p := range Twice([]byte(text)) {
			got = append(got, p.Path)
		}
		if diff := cmp.Diff(paths, got); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
		if got := string(Once([]byte(text))); got != once {
			t.Errorf("%s once: %s, want %s", text, got, once)
		}
	}
	same := func(text string) { t.Helper(); f(text, text) }
	same(``)
	same(`{"a":{"a":{"a":[]}},"b":[{"a":1},{"a":2}],"c":"a","d":"a"}`)
	same(`["a","a"]`)
	same(`{"a":"b","b":"a"}`)
	same(`{"a":1,"A":2}`)
	f(`{"a":1,"a":2} `, `{"a":2} `, "a")
	f(`{"a":1,"\u0061":1e400,"a":12345678901234567890}`, `{"a":12345678901234567890}`, "a", "a")
	f(`{"spec":{"x":[{},{"y":1,"y":{"z":null,"z":true}}]}}`, `{"spec":{"x":[{},{"y":{"z":true}}]}}`, "spec.x[1].y", "spec.x[1].y.z")
	f(`[{"é\n":1,"é\n":[]}]`, `[{"é\n":[]}]`, `[0]."\u00e9\n"`)
	f(`{"a":1,"a":2`, `{"a":1,"a":2`, "a")
	f(strings.Repeat(`{"a":`, 20)+`{"b":1,"b":2}`+strings.Repeat("}", 20), strings.Repeat(`{"a":`, 20)+`{"b":2}`+strings.Repeat("}", 20), strings.Repeat("a.", 15)+"a...")
}

func FuzzOnce(f *testing.F) {
	for _, seed := range []string{`{"a":1,"a":2}`, `[{"a":{"b":1,"b":[{}]}}] x`, `{"a":"a","b":"a"}`, `{"a"`, `{"a":1}}`, "]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		once := Once(text)
		if !json.Valid(text) {
			return
		}
		if left := Twice(once); len(left) > 0 {
			t.Fatalf("%s: %v", once, left)
		}
		var before, after any
		if json.Unmarshal(text, &before) == nil && (json.Unmarshal(once, &after) != nil || !cmp.Equal(before, after)) {
			t.Fatalf("%s is not %s", once, text)
		}
	})
}

// TestRefusalsNameTheField has documents as people write them in YAML, where a number and yes are no texts.
func TestRefusalsNameTheField(t *testing.T) {
	f := func(spec, want string) {
		t.Helper()
		_, err := DecodeDevice([]byte(`{"metadata":{"name":"d","application":"a"},"spec":` + spec + `}`))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s…", spec, err, want)
		}
	}
	f(`{"authentication":{"credentials":[{"pass":"x"},{"pass":12345}]}}`, "spec.authentication.credentials[1].pass: a password is a string")
	f(`{"authentication":{"credentials":[{"user":{"username":5,"password":"x"}}]}}`, "spec.authentication.credentials[0].user.username: must be a text, in quotes")
	f(`{"credentials":{"credentials":[{"cert":1}]}}`, "spec.credentials.credentials[0].cert: must be a text, in quotes")
	f(`{"core":{"disabled":"yes"}}`, "spec.core.disabled: must be true or false")
	f(`{"alias":[1]}`, "spec.alias[0]: must be a text, in quotes")
	f(`{"gatewaySelector":{"matchNames":"g"}}`, "spec.gatewaySelector.matchNames: must be a list")
	f(`{"lorawan":{"ports":{"1":{"data_schema":1}}}}`, "spec.lorawan.ports.1.data_schema: must be a text, in quotes")
	for text, want := range map[string]string{
		`{"metadata":{"name":123}}`:                       "device document: metadata.name: must be a text, in quotes",
		`{"metadata":{"name":"a","labels":{"a":true}}}`:   "device document: metadata.labels: must be a text, in quotes",
		`{"metadata":{"name":"a","finalizers":"x"}}`:      "device document: metadata.finalizers: must not be a string",
		`{"metadata":{"name":"a","application":["app"]}}`: "device document: metadata.application: must be a text, in quotes",
	} {
		if _, err := DecodeDevice([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
