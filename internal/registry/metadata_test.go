package registry

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestValidateMetadata(t *testing.T) {
	labels := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint(i)] = ""
		}
		return m
	}
	finalizers := func(n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprint(i))
		}
		return names
	}
	f := func(m Metadata, path string) {
		t.Helper()
		m.Name = "a"
		application := Application{Metadata: m}
		m.Application = "a"
		device := Device{Metadata: m}
		for _, err := range []error{application.Validate(), device.Validate()} {
			if path == "" && err != nil || path != "" && (err == nil || !strings.HasPrefix(err.Error(), path)) {
				t.Errorf("%.80v: %v, want an error at %q", m, err, path)
			}
		}
	}
	f(Metadata{}, "")
	f(Metadata{Labels: map[string]string{"a.b/c": "x", "ü ": "größer", "empty": ""}}, "")
	f(Metadata{Labels: labels(MaxLabels)}, "")
	f(Metadata{Labels: map[string]string{strings.Repeat("k", MaxLabelKey): strings.Repeat("v", MaxLabelValue)}}, "")
	f(Metadata{Labels: labels(MaxLabels + 1)}, "metadata.labels")
	f(Metadata{Labels: map[string]string{"": "x"}}, "metadata.labels")
	f(Metadata{Labels: map[string]string{"a\nb": "x"}}, "metadata.labels")
	f(Metadata{Labels: map[string]string{"a": "\x00"}}, "metadata.labels")
	f(Metadata{Labels: map[string]string{"a": "\xff"}}, "metadata.labels")
	f(Metadata{Labels: map[string]string{strings.Repeat("k", MaxLabelKey+1): ""}}, "metadata.labels")
	f(Metadata{Labels: map[string]string{"a": strings.Repeat("v", MaxLabelValue+1)}}, "metadata.labels")
	f(Metadata{Annotations: map[string]string{"k": "any\x00thing"}}, "")
	f(Metadata{Annotations: map[string]string{"": "x"}}, "metadata.annotations")
	f(Metadata{Finalizers: finalizers(MaxFinalizers)}, "")
	f(Metadata{Finalizers: finalizers(MaxFinalizers + 1)}, "metadata.finalizers")
	f(Metadata{Finalizers: []string{"a", "b", "a"}}, "metadata.finalizers")
	f(Metadata{Finalizers: []string{""}}, "metadata.finalizers")
	f(Metadata{Finalizers: []string{"a\tb"}}, "metadata.finalizers")
	f(Metadata{Finalizers: []string{strings.Repeat("f", MaxFinalizer+1)}}, "metadata.finalizers")
}

func TestValidateSectionNames(t *testing.T) {
	many := Sections{}
	for i := range MaxSectionCount + 1 {
		many[fmt.Sprint(i)] = json.RawMessage("1")
	}
	f := func(s Sections, good bool) {
		t.Helper()
		for path, d := range map[string]Device{
			"spec":   {Metadata: Metadata{Name: "d", Application: "a"}, Spec: s},
			"status": {Metadata: Metadata{Name: "d", Application: "a"}, Status: s},
		} {
			err := d.Validate()
			if good && err != nil || !good && (err == nil || !strings.HasPrefix(err.Error(), path+": ")) {
				t.Errorf("%s of %.40v: %v", path, s, err)
			}
		}
	}
	f(Sections{"any thing": json.RawMessage("1")}, true)
	f(Sections{"": json.RawMessage("1")}, false)
	f(Sections{"a\nb": json.RawMessage("1")}, false)
	f(Sections{strings.Repeat("s", MaxSectionName+1): json.RawMessage("1")}, false)
	f(many, false)
}
