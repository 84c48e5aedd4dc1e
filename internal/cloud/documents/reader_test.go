package documents

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// read gives what a stream holds: each document as JSON with its line, or what is wrong.
func read(from io.Reader) (all []string) {
	r := NewReader(from)
	for {
		d, err := r.Next()
		var at *Error
		switch {
		case errors.Is(err, io.EOF):
			return all
		case errors.As(err, &at):
			all = append(all, err.Error())
			if at.Fatal {
				return all
			}
		case err != nil:
			return append(all, err.Error())
		default:
			text, err := yaml.YAMLToJSONStrict(d.Text)
			if err != nil {
				text = []byte("invalid")
			}
			all = append(all, fmt.Sprintf("%d %s", d.Line, text))
		}
	}
}

func TestReader(t *testing.T) {
	f := func(name, text string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, read(strings.NewReader(text))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(want, read(iotest.OneByteReader(strings.NewReader(text)))); diff != "" {
			t.Errorf("%s, a byte at a time: %s", name, diff)
		}
	}
	f("nothing", "")
	f("space and comments", "\n  \n# nothing\n---\n...\n# {\n")
	f("YAML", "# a\na: 1\n---\nb: 2\n", `2 {"a":1}`, `4 {"b":2}`)
	f("a mark of the byte order", "\ufeffa: 1\n", `1 {"a":1}`)
	f("directives", "%YAML 1.2\n---\na: 1\n", `3 {"a":1}`)
	f("no line feed at the end", "a: 1\n--- \nb: 2", `1 {"a":1}`, `3 {"b":2}`)
	f("carriage returns", "a: 1\r\n---\r\nb: 2\r\n", `1 {"a":1}`, `3 {"b":2}`)
	f("indented", "  a: 1\n  b: 2\n", `1 {"a":1,"b":2}`)
	f("marker with content", "--- {a: 1}\n...\n", `1 {"a":1}`)
	f("hyphens in texts", "a: |\n  ---\n  x\nb: '----'\n", `1 {"a":"---\nx\n","b":"----"}`)
	f("JSON", "{\"a\":1} {\"b\":\"}\\\"{\"}\n\n{\n}", `1 {"a":1}`, `1 {"b":"}\"{"}`, `3 {}`)
	f("JSON, then YAML", "{\"a\":1}\n---\nb: 2\n---\n{\"c\":3}\n", `1 {"a":1}`, `3 {"b":2}`, `5 {"c":3}`)
	f("YAML with braces", "{a: {b: 1},\n c: '}'}\n", `1 {"a":{"b":1},"c":"}"}`)
	f("array", "[\n{\"a\":1},\n {\"b\":[{}]}\n]\n", `2 {"a":1}`, `3 {"b":[{}]}`)
	f("empty array", " [ ]")
	f("arrays and more", `[{"a":1}][{"b":2}]{"c":3}`, `1 {"a":1}`, `1 {"b":2}`, `1 {"c":3}`)
	f("array of YAML", "[{a: 1}, {b: 2}]\n", `1 {"a":1}`, `1 {"b":2}`)
	f("sequence", "- a: 1\n  b: 2\n-\n  c: 3\n- - d\n---\ne: 4\n", `1 {"a":1,"b":2}`, `3 {"c":3}`, `5 ["d"]`, `7 {"e":4}`)
	f("items", "kind: List\nitems:\n- a: 1\n- b: 2\n---\nc: 3\n", `1 {"a":1}`, `1 {"b":2}`, `6 {"c":3}`)
	f("JSON items", `{"items":[{"a":12345678901234567890}]}`, `1 {"a":12345678901234567890}`)
	f("no items", "metadata: {name: x}\nitems: [1]\n", `1 {"items":[1],"metadata":{"name":"x"}}`)
	f("invalid YAML does not end it", "a: [\n---\nb: 2\n", "1 invalid", `3 {"b":2}`)
	f("cut short", "{\"a\":1}\n{\"a\":", `1 {"a":1}`, "line 2: the file ends in the middle of a document")
	f("array cut short", "[{\"a\":1},\n", `1 {"a":1}`, "line 2: the file ends in the middle of a document")
	f("array of numbers", `[{"a":1},1]`, `1 {"a":1}`, "line 1: a list of something other than objects")
	f("array without commas", `[{"a":1}{"b":1}]`, `1 {"a":1}`, "line 1: a list without a comma")
	f("array with commas only", `[{"a":1},,{"b":1}]`, `1 {"a":1}`, "line 1: a list with nothing before a comma")
	f("array with a last comma", `[{"a":1},]`, `1 {"a":1}`, "line 1: a list with nothing after a comma")
	f("long lines", "a: 1 # "+strings.Repeat("x", 3*window)+"\n---\n# "+strings.Repeat("y", 2*window)+"\n"+strings.Repeat(" ", 2*window)+"\n{\"b\":2}", `1 {"a":1}`, `5 {"b":2}`)
}

func TestTooLargeATextDoesNotEndIt(t *testing.T) {
	large := io.MultiReader(strings.NewReader("a: |\n"), io.LimitReader(lines{}, MaxText), strings.NewReader("---\nb: 2\n"))
	got := read(large)
	if len(got) != 2 || !strings.Contains(got[0], "line 1: larger than") || !strings.HasSuffix(got[1], `{"b":2}`) {
		t.Error(got)
	}
}

// lines are without end.
type lines struct{}

func (lines) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = "  x y z\n"[i%8]
	}
	return len(b) / 8 * 8, nil
}

func TestReaderTellsWhatTheStreamSays(t *testing.T) {
	for _, text := range []string{"", "a: 1\n", "{\"a\":", "[{\"a\":1}", "- a\n"} {
		got := read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("torn"))))
		if len(got) == 0 || got[len(got)-1] != "torn" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Whatever JSON holds, an array of it is cut as encoding/json would.
func FuzzReader(f *testing.F) {
	f.Add("[{\"a\":\"\\\\\"},\n{\"b\":[1,{}]}]")
	f.Add("a: 1\n---\n- b\n- c: [\n")
	f.Add("{\"items\":[]}")
	f.Fuzz(func(t *testing.T, text string) {
		got := read(strings.NewReader(text))
		var want []json.RawMessage
		if strings.Contains(text, "items") || json.Unmarshal([]byte(text), &want) != nil {
			return
		}
		objects := 0
		for _, raw := range want {
			var object map[string]json.RawMessage
			if json.Unmarshal(raw, &object) == nil && object != nil {
				objects++
			}
		}
		if objects == len(want) && len(got) != objects {
			t.Errorf("%d documents of %d: %q", len(got), objects, got)
		}
	})
}
