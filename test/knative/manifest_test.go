package knative

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/eventing/pkg/apis/eventing/v1beta3"
	"knative.dev/eventing/pkg/apis/feature"
	sourcesv1 "knative.dev/eventing/pkg/apis/sources/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	strict "sigs.k8s.io/json"
)

// kinds are Knative's and Kubernetes' types.
func kinds(t *testing.T) *runtime.Scheme {
	t.Helper()
	out := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, eventingv1.AddToScheme, v1beta3.AddToScheme, sourcesv1.AddToScheme, servingv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// webhook is the context in which Knative admits a new object, with the
// features on that delivery.timeout and delivery.retryAfterMax need.
func webhook() context.Context {
	ctx := feature.ToContext(silent(), feature.Flags{
		feature.DeliveryTimeout:    feature.Enabled,
		feature.DeliveryRetryAfter: feature.Enabled,
	})
	return apis.WithinCreate(ctx)
}

// manifests calls visit with each YAML document below triggers/, of the Trigger that fairlead dev starts with, and of every
// overlay of config/, rendered.
func manifests(t *testing.T, visit func(name string, document []byte)) {
	t.Helper()
	for _, overlay := range overlays(t) {
		for _, r := range render(t, overlay).Resources() {
			document, err := r.AsYAML()
			if err != nil {
				t.Fatal(err)
			}
			visit(overlay+": "+r.CurId().String(), document)
		}
	}
	for _, root := range []string{"../../triggers", "../../internal/devcloud/example-trigger.yaml"} {
		err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				if err == nil && entry.Name() == "testdata" {
					return fs.SkipDir
				}
				return err
			}
			if !slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name)) {
				return nil
			}
			file, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(file)))
			for {
				document, err := documents.Read()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
				visit(name, document)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestManifestsAreAdmitted(t *testing.T) {
	types, count := kinds(t), 0
	manifests(t, func(name string, document []byte) {
		text, err := yaml.ToJSON(document)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if string(bytes.TrimSpace(text)) == "null" {
			return
		}
		count++
		if err := admit(types, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	if count < 60 {
		t.Errorf("only %d manifests were found", count)
	}
}

// admit decodes strictly, sets defaults and validates as Knative's webhook does.
func admit(types *runtime.Scheme, text []byte) error {
	var kind runtime.TypeMeta
	if _, err := strict.UnmarshalStrict(text, &kind); err != nil {
		return err
	}
	object, err := types.New(schema.FromAPIVersionAndKind(kind.APIVersion, kind.Kind))
	if err != nil {
		return err
	}
	faults, err := strict.UnmarshalStrict(text, object)
	if err != nil || len(faults) > 0 {
		return errors.Join(append(faults, err)...)
	}
	if o, ok := object.(apis.Defaultable); ok {
		o.SetDefaults(webhook())
	}
	if o, ok := object.(apis.Validatable); ok {
		if err := o.Validate(webhook()); err != nil {
			return err
		}
	}
	return nil
}
