package knative

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// overlays are the names of all overlays, and of some with a component that none of them has.
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
	return append(names, "try+channel-broker", "try+opcua", "production+opcua", "production+pre-shared-keys", "production+device-registration")
}

// folderOf is where an overlay lies. Of one with a component, named OVERLAY+COMPONENT, it makes a folder as an operator would.
func folderOf(t *testing.T, overlay string) string {
	t.Helper()
	name, component, with := strings.Cut(overlay, "+")
	if !with {
		return filepath.Join(configDir, "overlays", name)
	}
	folder := t.TempDir()
	here, err := filepath.Abs(configDir)
	if err != nil {
		t.Fatal(err)
	}
	config, err := filepath.Rel(folder, here)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("resources: [%s/overlays/%s]\ncomponents: [%s/components/%s]\n", config, name, config, component)
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

var rendered sync.Map // of resmap.ResMap by overlay

// render is what `kubectl apply -k` would apply of an overlay.
func render(t *testing.T, overlay string) resmap.ResMap {
	t.Helper()
	if m, ok := rendered.Load(overlay); ok {
		return m.(resmap.ResMap)
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folderOf(t, overlay))
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
