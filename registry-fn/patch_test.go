package registryfn

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
)

// The examples of RFC 7396, appendix A, whose patch is an object, as members of an object.
func TestMerge(t *testing.T) {
	f := func(target, patchText, want string) {
		t.Helper()
		var members map[string]json.RawMessage
		var p patch
		if json.Unmarshal([]byte(`{"x":`+target+`}`), &members) != nil || json.Unmarshal([]byte(`{"x":`+patchText+`}`), &p) != nil {
			t.Fatal("not JSON")
		}
		got, err := encode(merge(members, p))
		if err != nil || string(got) != want && string(got) != `{"x":`+want+`}` {
			t.Errorf("%s with %s: %s, %v, want %s", target, patchText, got, err, want)
		}
	}
	f(`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`)
	f(`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`)
	f(`{"a":"b"}`, `{"a":null}`, `{}`)
	f(`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`)
	f(`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`)
	f(`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`)
	f(`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`)
	f(`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`)
	f(`["a","b"]`, `["c","d"]`, `["c","d"]`)
	f(`{"a":"b"}`, `["c"]`, `["c"]`)
	f(`{"a":"foo"}`, `null`, `{}`)
	f(`{"a":"foo"}`, `"bar"`, `"bar"`)
	f(`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`)
	f(`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`)
	f(`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`)
}

func TestPatch(t *testing.T) {
	w := newWorld(t)
	w.ok("alice", "POST", apps, `{"metadata":{"name":"app-1"}}`)
	w.ok("alice", "POST", devices, `{"metadata":{"name":"d","labels":{"a":"1","b":"2"},"annotations":{"n":"x"}},"spec":{"core":{"disabled":false},"alias":["one","two"],"keep":{"n":1.50,"z":null}}}`)
	f := func(body, want string) {
		t.Helper()
		w.as("alice", "PATCH", device, body, "Content-Type", "application/merge-patch+json").want(t, 204, "")
		got := w.ok("alice", "GET", device, "")
		var document map[string]any
		if err := json.Unmarshal([]byte(got.body), &document); err != nil {
			t.Fatal(err)
		}
		metadata := document["metadata"].(map[string]any)
		for _, name := range []string{"uid", "creationTimestamp", "generation", "resourceVersion", "application", "name"} {
			delete(metadata, name)
		}
		answer{200, mustEncode(t, document), nil}.want(t, 200, want)
	}
	f(`{"metadata":{"labels":{"a":null,"c":"3"}}}`, `{"metadata":{"labels":{"b":"2","c":"3"},"annotations":{"n":"x"}},"spec":{"core":{"disabled":false},"alias":["one","two"],"keep":{"n":1.5,"z":null}}}`)
	f(`{"spec":{"core":{"disabled":true},"alias":["two"]}}`, `{"metadata":{"labels":{"b":"2","c":"3"},"annotations":{"n":"x"}},"spec":{"core":{"disabled":true},"alias":["two"],"keep":{"n":1.5,"z":null}}}`)
	f(`{"spec":{"core":null,"alias":null},"metadata":{"labels":null,"annotations":null}}`, `{"metadata":{},"spec":{"keep":{"n":1.5,"z":null}}}`)
	f(`{"spec":{"keep":{"n":2},"new":{"a":{"b":null,"c":1}}}}`, `{"metadata":{},"spec":{"keep":{"n":2,"z":null},"new":{"a":{"c":1}}}}`)
	f(`{"spec":null}`, `{"metadata":{}}`)
	f(`{"metadata":{"generation":99,"creationTimestamp":"2001-01-01T00:00:00Z","deletionTimestamp":"2001-01-01T00:00:00Z","name":"d","application":"app-1"}}`, `{"metadata":{}}`)

	refused := func(body string, status int, message string) {
		t.Helper()
		a := w.as("alice", "PATCH", device, body)
		if a.status != status || !strings.Contains(a.body, message) {
			t.Errorf("%.60s: %d %s, want %d %s", body, a.status, a.body, status, message)
		}
	}
	refused(``, 400, "not JSON")
	refused(`[]`, 400, "must not be a array")
	refused(`null`, 400, "must be an object")
	refused(`{"metadata":null}`, 400, "metadata.name")
	refused(`{"metadata":{"name":"e"}}`, 400, "metadata.name")
	refused(`{"metadata":{"name":null}}`, 400, "metadata.name")
	refused(`{"metadata":{"application":"other"}}`, 400, "metadata.application")
	refused(`{"metadata":{"colour":"red"}}`, 400, "colour")
	refused(`{"data":1}`, 400, "data")
	refused(`{"spec":{"core":5}}`, 400, "spec.core")
	refused(`{"metadata":{"labels":5}}`, 400, "metadata.labels")
	refused(`{"spec":{"x":"`+strings.Repeat("x", 64<<10)+`"}}`, 413, "larger")
	refused(strings.Repeat(`{"a":`, 200)+"1"+strings.Repeat("}", 200), 400, "nested")
	w.as("alice", "PATCH", device, `{}`, "Content-Type", "application/json-patch+json").want(t, 415, `{"error":"UnsupportedMediaType","message":"*"}`)

	// Many small patches cannot make a document that is too large.
	for i := range 3 {
		a := w.as("alice", "PATCH", device, fmt.Sprintf(`{"spec":{"x%d":"%s"}}`, i, strings.Repeat("x", 30<<10)))
		if want := []int{204, 204, 400}[i]; a.status != want {
			t.Errorf("part %d: %d %.100s, want %d", i, a.status, a.body, want)
		}
	}
}

func mustEncode(t *testing.T, value any) string {
	t.Helper()
	text, err := encode(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func FuzzPatch(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"metadata":{"name":"d"}}`, `{"metadata":{"labels":{"a":"b"}}}`},
		{`{"spec":{"a":{"b":[1]}}}`, `{"spec":{"a":{"b":null}}}`},
		{`{"a":1}`, `{"a":{"b":{"c":null}}}`},
		{`{}`, `[]`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, target, text []byte) {
		var members map[string]json.RawMessage
		var p patch
		if json.Unmarshal(target, &members) != nil || json.Unmarshal(text, &p) != nil || registry.DecodeStrict(text, new(any)) != nil {
			return
		}
		var document, patchValue any
		_ = json.Unmarshal(target, &document)
		_ = json.Unmarshal(text, &patchValue)
		merged, err := encode(merge(members, p))
		if err != nil {
			t.Fatalf("%s with %s: %v", target, text, err)
		}
		if p == nil {
			return
		}
		if got, want := merged, mustEncode(t, reference(document, patchValue)); !sameValue(got, []byte(want)) {
			t.Fatalf("%s with %s: %s, want %s", target, text, got, want)
		}
	})
}

// reference is the algorithm of RFC 7396 section 2, word for word.
func reference(target, p any) any {
	members, ok := p.(map[string]any)
	if !ok {
		return p
	}
	into, ok := target.(map[string]any)
	if !ok {
		into = map[string]any{}
	}
	for name, value := range members {
		if value == nil {
			delete(into, name)
		} else {
			into[name] = reference(into[name], value)
		}
	}
	return into
}

func sameValue(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	first, _ := json.Marshal(x)
	second, _ := json.Marshal(y)
	return string(first) == string(second)
}
