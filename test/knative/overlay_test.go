package knative

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/resource"
)

func schemaOf(r *resource.Resource) schema.GroupVersionKind {
	id := r.GetGvk()
	return schema.GroupVersionKind{Group: id.Group, Version: id.Version, Kind: id.Kind}
}

// A workload is anything that makes pods.
type workload struct {
	name     string
	selector *metav1.LabelSelector // nil for a Job
	pod      corev1.PodTemplateSpec
}

func workloads(t *testing.T, overlay string) (out []workload) {
	t.Helper()
	for _, o := range objects[*appsv1.Deployment](t, overlay) {
		out = append(out, workload{o.Name, o.Spec.Selector, o.Spec.Template})
	}
	for _, o := range objects[*appsv1.StatefulSet](t, overlay) {
		out = append(out, workload{o.Name, o.Spec.Selector, o.Spec.Template})
	}
	for _, o := range objects[*batchv1.Job](t, overlay) {
		out = append(out, workload{o.Name, nil, o.Spec.Template})
	}
	if len(out) < 3 {
		t.Fatalf("%s: only %d workloads", overlay, len(out))
	}
	return out
}

// eachOverlay runs a test for each overlay.
func eachOverlay(t *testing.T, f func(t *testing.T, overlay string)) {
	t.Helper()
	for _, overlay := range overlays(t) {
		t.Run(overlay, func(t *testing.T) { f(t, overlay) })
	}
}

// mustBeRestricted checks that a pod is admitted where the restricted profile is enforced, as the namespace says.
func mustBeRestricted(t *testing.T, name string, pod *metav1.ObjectMeta, spec *corev1.PodSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, pod, spec) {
		if !result.Allowed {
			t.Errorf("%s: %s: %s", name, result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
}

func TestPodsAreRestricted(t *testing.T) {
	eachOverlay(t, func(t *testing.T, overlay string) {
		for _, w := range workloads(t, overlay) {
			mustBeRestricted(t, w.name, &w.pod.ObjectMeta, &w.pod.Spec)
			if *w.pod.Spec.AutomountServiceAccountToken || *w.pod.Spec.EnableServiceLinks {
				t.Errorf("%s has a token of the API server, or variables of Services", w.name)
			}
			for _, c := range w.pod.Spec.Containers {
				if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
					t.Errorf("%s: container %s has no bounds", w.name, c.Name)
				}
			}
		}
		for _, n := range objects[*corev1.Namespace](t, overlay) {
			if n.Labels["pod-security.kubernetes.io/enforce"] != string(api.LevelRestricted) {
				t.Errorf("namespace %s does not enforce it", n.Name)
			}
		}
	})
}

// Everything lies in the namespace, says what it is part of, and belongs to a step of the deployment.
func TestObjectsHaveTheirPlace(t *testing.T) {
	components := []string{"settings", "neighbour", "migration", "gateway", "events", "monitoring"}
	eachOverlay(t, func(t *testing.T, overlay string) {
		for _, r := range render(t, overlay).Resources() {
			labels := r.GetLabels()
			if !slices.Contains(components, labels["app.kubernetes.io/component"]) || labels["app.kubernetes.io/part-of"] != "fairlead" {
				t.Errorf("%s has the labels %v", r.CurId(), labels)
			}
			if r.GetNamespace() != "fairlead" && r.GetKind() != "Namespace" {
				t.Errorf("%s is not in the namespace fairlead", r.CurId())
			}
		}
	})
}

// What selects pods selects some, and what names a port names one.
func TestSelectorsMeetPods(t *testing.T) {
	eachOverlay(t, func(t *testing.T, overlay string) {
		all := workloads(t, overlay)
		for _, w := range all {
			if w.selector != nil && !matches(t, w.selector, w.pod.Labels) {
				t.Errorf("%s does not select its own pods", w.name)
			}
		}
		for _, s := range objects[*corev1.Service](t, overlay) {
			meet := selected(t, all, &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
			if len(meet) != 1 {
				t.Fatalf("Service %s selects %d workloads", s.Name, len(meet))
			}
			for _, port := range s.Spec.Ports {
				if !listens(&meet[0].pod.Spec, port.TargetPort.String(), port.Protocol) {
					t.Errorf("Service %s: the pods have no port %s", s.Name, port.TargetPort.String())
				}
			}
		}
		for _, b := range objects[*policyv1.PodDisruptionBudget](t, overlay) {
			if len(selected(t, all, b.Spec.Selector)) != 1 {
				t.Errorf("PodDisruptionBudget %s selects no workload", b.Name)
			}
		}
		for _, h := range objects[*autoscalingv2.HorizontalPodAutoscaler](t, overlay) {
			if !slices.ContainsFunc(all, func(w workload) bool { return w.name == h.Spec.ScaleTargetRef.Name }) {
				t.Errorf("HorizontalPodAutoscaler %s scales nothing", h.Name)
			}
		}
	})
}

func matches(t *testing.T, selector *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(labels.Set(of))
}

func selected(t *testing.T, all []workload, selector *metav1.LabelSelector) (out []workload) {
	t.Helper()
	for _, w := range all {
		if matches(t, selector, w.pod.Labels) {
			out = append(out, w)
		}
	}
	return out
}

// listens tells whether a pod has a port, which is named by its name, or by its number.
func listens(pod *corev1.PodSpec, port string, protocol corev1.Protocol) bool {
	if protocol == "" {
		protocol = corev1.ProtocolTCP
	}
	for _, c := range pod.Containers {
		for _, p := range c.Ports {
			have := p.Protocol
			if have == "" {
				have = corev1.ProtocolTCP
			}
			if (p.Name == port || fmt.Sprint(p.ContainerPort) == port) && have == protocol {
				return true
			}
		}
	}
	return false
}

// Network policies of gateways open ports that gateways have; every workload that an overlay with policies makes is meant by one.
func TestNetworkPoliciesMeetPods(t *testing.T) {
	eachOverlay(t, func(t *testing.T, overlay string) {
		policies, all := objects[*networkingv1.NetworkPolicy](t, overlay), workloads(t, overlay)
		for _, w := range all {
			meant := 0
			for _, p := range policies {
				if !matches(t, &p.Spec.PodSelector, w.pod.Labels) {
					continue
				}
				meant++
				for _, rule := range p.Spec.Ingress {
					for _, port := range rule.Ports {
						protocol := corev1.ProtocolTCP
						if port.Protocol != nil {
							protocol = *port.Protocol
						}
						if !listens(&w.pod.Spec, port.Port.String(), protocol) {
							t.Errorf("%s opens port %s, which %s does not have", p.Name, port.Port, w.name)
						}
					}
				}
			}
			if len(policies) > 0 && meant < 2 {
				t.Errorf("no policy but the default means %s", w.name)
			}
		}
		for _, p := range policies {
			service := p.Spec.PodSelector.MatchLabels["serving.knative.dev/service"]
			if _, ok := functions(t)[service]; service != "" && !ok {
				t.Errorf("%s means the function %s, which there is not", p.Name, service)
			}
		}
	})
}

// The accounts, Secrets and ConfigMaps that pods name are those that there are.
func TestAccounts(t *testing.T) {
	eachOverlay(t, func(t *testing.T, overlay string) {
		var accounts []string
		for _, a := range objects[*corev1.ServiceAccount](t, overlay) {
			accounts = append(accounts, a.Name)
		}
		for _, w := range workloads(t, overlay) {
			if name := w.pod.Spec.ServiceAccountName; name != "" && !slices.Contains(accounts, name) {
				t.Errorf("%s has the account %s, which there is not", w.name, name)
			}
		}
		for name, f := range functions(t) {
			if !slices.Contains(accounts, f.Deploy.ServiceAccountName) {
				t.Errorf("%s has the account %q, which there is not", name, f.Deploy.ServiceAccountName)
			}
		}
		for _, b := range objects[*rbacv1.RoleBinding](t, overlay) {
			for _, s := range b.Subjects {
				if !slices.Contains(accounts, s.Name) {
					t.Errorf("RoleBinding %s names the account %s, which there is not", b.Name, s.Name)
				}
			}
		}
	})
}

// Devices with pre-shared keys over TLS meet gateways with OpenSSL where an operator asks for them, and nowhere else.
func TestGatewaysWithOpenSSL(t *testing.T) {
	const plain, keys = "fairlead-gateway", "fairlead-gateway-psk"
	eachOverlay(t, func(t *testing.T, overlay string) {
		for _, d := range objects[*appsv1.Deployment](t, overlay) {
			want := ""
			switch d.Name {
			case "fairlead-gateway-mqtt", "fairlead-gateway-http":
				want = plain
				if strings.HasSuffix(overlay, "+pre-shared-keys") {
					want = keys
				}
			case "fairlead-gateway-coap", "fairlead-gateway-integration":
				want = plain
			default:
				continue
			}
			if got := d.Spec.Template.Spec.Containers[0].Image; got != want {
				t.Errorf("%s has the image %s, want %s", d.Name, got, want)
			}
		}
	})
}

// Devices are registered at their first connection only where an operator asks for it, and then at the function that is the registry.
func TestDeviceRegistration(t *testing.T) {
	registry := functions(t)["fairlead-registry"]
	eachOverlay(t, func(t *testing.T, overlay string) {
		want := ""
		if strings.HasSuffix(overlay, "+device-registration") {
			want = "http://" + registry.Name + ".fairlead.svc.cluster.local"
		}
		if got := configMaps(t, overlay)["fairlead-functions"]["FAIRLEAD_AUTH_REGISTRY_URL"]; got != want {
			t.Errorf("devices are registered by %q, want %q", got, want)
		}
	})
}
