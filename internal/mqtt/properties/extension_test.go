package properties

import (
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/event"
)

// list is user properties as name and value in turn.
func list(texts ...string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := 0; i+1 < len(texts); i += 2 {
			if !yield(texts[i], texts[i+1]) {
				return
			}
		}
	}
}

func TestExtensions(t *testing.T) {
	f := func(properties iter.Seq2[string, string], want map[string]string) {
		t.Helper()
		if diff := cmp.Diff(want, Extensions(properties)); diff != "" {
			t.Errorf("extensions (-want +got):\n%s", diff)
		}
	}
	f(list(), nil)
	f(list("unit", "celsius", "line2", "Ä"), map[string]string{"unit": "celsius", "line2": "Ä"})
	f(list("empty", ""), map[string]string{"empty": ""})
	f(list("twice", "first", "twice", "second"), map[string]string{"twice": "first"})
	f(list("Upper", "x", "with-hyphen", "x", "", "x", "morethantwentycharacters", "x"), nil)
	f(list("value", "a\nb", "bytes", "\xff", "long", strings.Repeat("x", event.MaxExtension+1)), nil)
	f(list("sender", "other", "applicationuid", "x", "time", "now", "traceparent", "x", "ok", "1"), map[string]string{"ok": "1"})
}

func TestExtensionsAreBounded(t *testing.T) {
	var texts []string
	for i := range 1000 {
		texts = append(texts, fmt.Sprintf("p%03d", i), "x")
	}
	got := Extensions(list(texts...))
	if len(got) != maxExtensions || got["p000"] != "x" || got["p019"] != "x" {
		t.Errorf("%d extensions: %v", len(got), got)
	}
}

func FuzzExtensions(f *testing.F) {
	f.Add("unit", "celsius", "sender", "other")
	f.Add("a", "b", "a", "c")
	f.Add("", "\x00", "UPPER", "\xff")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		for name, value := range Extensions(list(name1, value1, name2, value2)) {
			if err := event.ValidateExtension(name, value); err != nil {
				t.Errorf("%q = %q: %v", name, value, err)
			}
			first := name1 == name && value1 == value
			if !first && (name1 == name && event.ValidateExtension(name1, value1) == nil || name2 != name || value2 != value) {
				t.Errorf("%q = %q is not what was given", name, value)
			}
		}
	})
}
