package knative

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
)

// A definition is what matters of a CustomResourceDefinition.
type definition struct {
	Kind string `json:"kind"`
	Spec struct {
		Group    string                `json:"group"`
		Names    struct{ Kind string } `json:"names"`
		Versions []struct {
			Name   string `json:"name"`
			Schema struct {
				OpenAPIV3Schema spec.Schema `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

// schemas are those of the definitions that the releases of go.mod install.
func schemas(t *testing.T) map[schema.GroupVersionKind]*spec.Schema {
	t.Helper()
	out := map[schema.GroupVersionKind]*spec.Schema{}
	for module, folder := range map[string]string{
		"knative.dev/eventing": "config/core/resources",
		"knative.dev/serving":  "config/core/300-resources",
	} {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			t.Fatalf("find %s: %v", module, err)
		}
		names, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), folder, "*.yaml"))
		if err != nil || len(names) == 0 {
			t.Fatalf("find the definitions of %s: %v", module, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var d definition
			if err := yaml.Unmarshal(text, &d); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range d.Spec.Versions {
				version := &d.Spec.Versions[i]
				kind := schema.GroupVersionKind{Group: d.Spec.Group, Version: version.Name, Kind: d.Spec.Names.Kind}
				out[kind] = &version.Schema.OpenAPIV3Schema
			}
		}
	}
	return out
}

func TestManifestsFitTheDefinitions(t *testing.T) {
	all, count := schemas(t), 0
	manifests(t, func(name string, document []byte) {
		var object map[string]any
		if err := yaml.Unmarshal(document, &object); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		kind := schema.FromAPIVersionAndKind(fmt.Sprint(object["apiVersion"]), fmt.Sprint(object["kind"]))
		definition, ok := all[kind]
		if !ok {
			if strings.HasSuffix(kind.Group, "knative.dev") {
				t.Errorf("%s: no definition of %v", name, kind)
			}
			return
		}
		count++
		for _, fault := range faults(definition, object) {
			t.Errorf("%s: %s", name, fault)
		}
	})
	if count < 9 {
		t.Errorf("only %d manifests have a definition", count)
	}
}

// faults says what an API server would refuse of an object, or drop without a word.
func faults(definition *spec.Schema, object map[string]any) []string {
	var out []string
	result := validate.NewSchemaValidator(definition, nil, "", strfmt.Default).Validate(object)
	for _, err := range result.Errors {
		out = append(out, err.Error())
	}
	for name, value := range object {
		if name == "apiVersion" || name == "kind" || name == "metadata" {
			continue // the API server knows these without the schema
		}
		property, ok := definition.Properties[name]
		if !ok {
			out = append(out, name+" would be dropped")
			continue
		}
		out = append(out, dropped(name, &property, value)...)
	}
	return out
}

// dropped are the fields below a value that its schema does not name.
func dropped(path string, s *spec.Schema, value any) []string {
	var out []string
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			if s.Items != nil && s.Items.Schema != nil {
				out = append(out, dropped(fmt.Sprintf("%s[%d]", path, i), s.Items.Schema, item)...)
			}
		}
	case map[string]any:
		keep, _ := s.Extensions.GetBool("x-kubernetes-preserve-unknown-fields") // here, not below what is named
		for name, item := range v {
			below := path + "." + name
			if property, ok := s.Properties[name]; ok {
				out = append(out, dropped(below, &property, item)...)
			} else if s.AdditionalProperties == nil && !keep {
				out = append(out, below+" would be dropped")
			} else if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
				out = append(out, dropped(below, s.AdditionalProperties.Schema, item)...)
			}
		}
	}
	return out
}

// The check finds what it is for.
func TestFaults(t *testing.T) {
	all := schemas(t)
	kind := schema.GroupVersionKind{Group: "eventing.knative.dev", Version: "v1", Kind: "Trigger"}
	f := func(text, want string) {
		t.Helper()
		var object map[string]any
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(faults(all[kind], object), "; ")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	f(`{"spec":{"broker":"a","subscriber":{"uri":"http://x/"}}}`, "")
	f(`{"spec":{"broker":"a","subscriber":{"uri":"http://x/"},"filters":[{"exact":{"a":"b"}}]}}`, "")
	f(`{"spec":{"broker":"a","subscriber":{"url":"http://x/"}}}`, "spec.subscriber.url would be dropped")
	f(`{"spec":{"broker":7,"subscriber":{}}}`, "must be of type string")
	f(`{"specs":{}}`, "specs would be dropped")
}
