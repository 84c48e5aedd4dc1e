package knative

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	strict "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// configDir holds the manifests of a deployment.
const configDir = "../../config"

// overlays are the names of all overlays.
func overlays(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(configDir, "overlays"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	if len(names) < 2 {
		t.Fatalf("only the overlays %v were found", names)
	}
	return names
}

var rendered sync.Map // of resmap.ResMap by overlay

// render is what `kubectl apply -k` would apply of an overlay.
func render(t *testing.T, overlay string) resmap.ResMap {
	t.Helper()
	if m, ok := rendered.Load(overlay); ok {
		return m.(resmap.ResMap)
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(configDir, "overlays", overlay))
	if err != nil {
		t.Fatalf("render %s: %v", overlay, err)
	}
	rendered.Store(overlay, m)
	return m
}

// objects are all objects of an overlay that have a type, such as *appsv1.Deployment.
func objects[T runtime.Object](t *testing.T, overlay string) []T {
	t.Helper()
	types := kinds(t)
	var out []T
	for _, r := range render(t, overlay).Resources() {
		object, err := types.New(schemaOf(r))
		if err != nil {
			t.Fatalf("%s: %v", overlay, err)
		}
		wanted, ok := object.(T)
		if !ok {
			continue
		}
		text, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if faults, err := strict.UnmarshalStrict(text, wanted); err != nil || len(faults) > 0 {
			t.Fatalf("%s: %s: %v, %v", overlay, r.CurId(), faults, err)
		}
		out = append(out, wanted)
	}
	return out
}
