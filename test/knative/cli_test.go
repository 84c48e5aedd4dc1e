package knative

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// kubectlStub stands in place of kubectl: it has an image for the pod, and prints what it is to run, an argument on each line.
const kubectlStub = `#!/usr/bin/env bash
case $1 in
get) echo registry.example/cli@sha256:0 ;;
run) printf '%s\0' "$@" ;;
*) exit 1 ;;
esac
`

// podOfCommandLine is the pod that config/cli has kubectl run.
func podOfCommandLine(t *testing.T, arguments ...string) *corev1.Pod {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "kubectl"), []byte(kubectlStub), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	command := exec.Command("../../config/cli", arguments...)
	command.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	given := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	option := func(name string) string {
		i := slices.Index(given, name)
		if i < 0 {
			t.Fatalf("%s is missing in %q", name, given)
		}
		return given[i+1]
	}
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(option("--overrides")), &pod); err != nil {
		t.Fatal(err)
	}
	if pod.Labels, err = labels.ConvertSelectorToLabelsMap(option("--labels")); err != nil {
		t.Fatal(err)
	}
	// What kubectl adds to the container of the pod's name.
	if len(pod.Spec.Containers) != 1 || pod.Spec.Containers[0].Name != given[1] {
		t.Fatalf("the container is not that of the pod %s: %v", given[1], pod.Spec.Containers)
	}
	pod.Spec.Containers[0].Image = option("--image")
	pod.Spec.Containers[0].Args = given[slices.Index(given, "--")+1:]
	return &pod
}

// The pod of the command line is admitted where the restricted profile is enforced, reads what there is, and is meant by a policy.
func TestCommandLineInTheCluster(t *testing.T) {
	pod := podOfCommandLine(t, "replay", "example-app", "--to", "http://a b/")
	if got := pod.Spec.Containers[0].Args; !slices.Equal(got, []string{"replay", "example-app", "--to", "http://a b/"}) {
		t.Errorf("its arguments are %q", got)
	}
	mustBeRestricted(t, "config/cli", &pod.ObjectMeta, &pod.Spec)
	eachOverlay(t, func(t *testing.T, overlay string) {
		for _, e := range pod.Spec.Containers[0].Env {
			if ref := e.ValueFrom; ref != nil && configMaps(t, overlay)[ref.ConfigMapKeyRef.Name][ref.ConfigMapKeyRef.Key] == "" {
				t.Errorf("there is no %s in the ConfigMap %s", ref.ConfigMapKeyRef.Key, ref.ConfigMapKeyRef.Name)
			}
		}
		policies, meant := objects[*networkingv1.NetworkPolicy](t, overlay), 0
		for _, p := range policies {
			if matches(t, &p.Spec.PodSelector, pod.Labels) {
				meant++
			}
		}
		if len(policies) > 0 && meant < 2 {
			t.Error("no policy but the default means it")
		}
	})
}
