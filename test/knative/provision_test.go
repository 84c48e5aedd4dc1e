package knative

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"testing"

	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// provisioned are the objects that functions/provision makes; see test/objects.
func provisioned(t *testing.T) (lines [][]byte) {
	t.Helper()
	print := exec.Command("go", "run", "./test/objects")
	print.Dir = "../.."
	out, err := print.CombinedOutput()
	if err != nil {
		t.Fatalf("run test/objects: %v: %s", err, out)
	}
	scanner := bufio.NewScanner(bytes.NewReader(out))
	for scanner.Scan() {
		lines = append(lines, bytes.Clone(scanner.Bytes()))
	}
	if len(lines) < 30 {
		t.Fatalf("only %d objects are made", len(lines))
	}
	return lines
}

// What functions/provision makes is admitted by Knative, and nothing of it is dropped. KafkaSinks come from another project; of them
// only the metadata is checked here.
func TestProvisionedObjectsAreAdmitted(t *testing.T) {
	types, definitions := kinds(t), schemas(t)
	for _, line := range provisioned(t) {
		var object map[string]any
		var head struct {
			metav1.TypeMeta
			Metadata metav1.ObjectMeta
		}
		if err := json.Unmarshal(line, &object); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &head); err != nil {
			t.Fatal(err)
		}
		name := head.Kind + " " + head.Metadata.Name
		path := field.NewPath("metadata")
		problems := metavalidation.ValidateLabels(head.Metadata.Labels, path)
		problems = append(problems, validation.ValidateAnnotations(head.Metadata.Annotations, path)...)
		if faults := validation.NameIsDNSSubdomain(head.Metadata.Name, false); len(faults) > 0 {
			t.Errorf("%s: name %q", name, faults)
		}
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		if head.Kind == "KafkaSink" {
			continue
		}
		if err := admit(types, line); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		definition, ok := definitions[schema.FromAPIVersionAndKind(head.APIVersion, head.Kind)]
		if !ok {
			t.Errorf("%s: there is no such definition", name)
			continue
		}
		for _, fault := range faults(definition, object) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}
