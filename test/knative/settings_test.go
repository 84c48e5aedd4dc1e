package knative

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// secrets are the Secrets that an operator provides (docs/deploy.md), with values of the right form.
var secrets = map[string]map[string]string{
	"fairlead-database-app": {"uri": "postgresql://fairlead:x@fairlead-database-rw:5432/app", "username": "fairlead", "password": "x", "dbname": "app"},
	"fairlead-redis":        {"url": "redis://:x@redis:6379", "password": "x"},
	"fairlead-auth":         {"token": "0123456789abcdef0123456789abcdef"},
	"fairlead-assertion":    {"keys": "0123456789abcdef0123456789abcdef"},
	"fairlead-registration": {"token": "0123456789abcdef0123456789abcdef"},
	"fairlead-kafka":        {},
	"fairlead-tls":          {},
	"fairlead-opcua":        {"application": "plant", "device": "opcua-gateway", "password": "x"},
	"fairlead-opcua-users":  {},
}

// A function is what the tests need of a func.yaml.
type function struct {
	Name string `json:"name"`
	Run  struct {
		Envs    []struct{ Name, Value string }
		Volumes []struct{ Secret, ConfigMap, Path string }
	} `json:"run"`
	Deploy struct {
		ServiceAccountName string
		Labels             []struct{ Key, Value string }
		HealthEndpoints    map[string]string
		Options            struct {
			Scale     map[string]any
			Resources map[string]any
		}
	} `json:"deploy"`
}

// functions are the func.yaml of all functions but the root, by name.
func functions(t *testing.T) map[string]function {
	t.Helper()
	paths, err := filepath.Glob("../../functions/*/func.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]function{}
	for _, path := range append(paths, "../../registry-fn/func.yaml") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f function
		if err := yaml.Unmarshal(text, &f); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out[f.Name] = f
	}
	if len(out) < 4 {
		t.Fatalf("only %d functions were found", len(out))
	}
	return out
}

// configMaps are the ConfigMaps of an overlay by name.
func configMaps(t *testing.T, overlay string) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for _, c := range objects[*corev1.ConfigMap](t, overlay) {
		out[c.Name] = c.Data
	}
	return out
}

// environment is what the container of a gateway gets.
func environment(t *testing.T, c *corev1.Container, maps map[string]map[string]string) (out []string) {
	t.Helper()
	for _, from := range c.EnvFrom {
		values, ok := maps[from.ConfigMapRef.Name]
		if !ok {
			t.Errorf("there is no ConfigMap %s", from.ConfigMapRef.Name)
		}
		for name, value := range values {
			out = append(out, name+"="+value)
		}
	}
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = secret(t, e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key)
		}
		out = append(out, e.Name+"="+value)
	}
	return out
}

func secret(t *testing.T, name, key string) string {
	t.Helper()
	value, ok := secrets[name][key]
	if !ok {
		t.Errorf("nobody provides the key %s of the Secret %s", key, name)
	}
	return value
}

var program struct {
	sync.Once
	path string
	err  error
}

// TestMain removes what the tests have built.
func TestMain(m *testing.M) {
	status := m.Run()
	_ = os.RemoveAll(filepath.Dir(program.path))
	os.Exit(status)
}

// understood asks Fairlead's own code how it understands an environment; see test/settings.
func understood(t *testing.T, environment []string, process ...string) map[string]string {
	t.Helper()
	program.Do(func() {
		dir, err := os.MkdirTemp("", "settings")
		program.path, program.err = filepath.Join(dir, "settings"), err
		build := exec.Command("go", "build", "-o", program.path, "./test/settings")
		build.Dir = "../.."
		if out, err := build.CombinedOutput(); err != nil {
			program.err = fmt.Errorf("build test/settings: %w: %s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	ask := exec.Command(program.path, process...)
	ask.Stdin = strings.NewReader(strings.Join(environment, "\n"))
	out, err := ask.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", process, out)
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		settings[strings.TrimPrefix(name, "FAIRLEAD_")] = value
	}
	return settings
}

// What a Deployment tells a gateway, the gateway understands.
func TestGatewaysLoadTheirSettings(t *testing.T) {
	eachOverlay(t, func(t *testing.T, overlay string) {
		maps, found := configMaps(t, overlay), 0
		for _, d := range objects[*appsv1.Deployment](t, overlay) {
			pod := &d.Spec.Template.Spec
			c := &pod.Containers[0]
			if c.Image != "fairlead-gateway" {
				continue
			}
			found++
			settings := understood(t, environment(t, c, maps), "gateway", c.Args[0])
			checkPorts(t, c, settings)
			checkFiles(t, pod, settings["KAFKA_SECRET_DIR"])
			if c.Args[0] != "opcua" { // which listens nowhere
				checkFiles(t, pod, settings["MQTT_TLS_CERTIFICATE_FILE"], settings["COAP_CERTIFICATE_FILE"], settings["HTTP_TLS_CERTIFICATE_FILE"])
			}
			checkVolumes(t, pod, settings["OPCUA_MAPPING"], settings["OPCUA_FOLDER"])
			checkGrace(t, pod, settings[strings.ToUpper(c.Args[0])+"_DRAIN_TIMEOUT"])
		}
		if found < 2 {
			t.Errorf("only %d gateways were found", found)
		}
	})
}

// checkGrace holds the time that a pod has for its end against what a gateway may need: the pause before SIGTERM, draining,
// and the half minute in which everything is closed (internal/assembly/gateways).
func checkGrace(t *testing.T, pod *corev1.PodSpec, drain string) {
	t.Helper()
	draining, err := time.ParseDuration(drain)
	if err != nil {
		t.Fatal(err)
	}
	need := int64(draining.Seconds()) + 30
	if l := pod.Containers[0].Lifecycle; l != nil {
		need += l.PreStop.Sleep.Seconds
	}
	if have := *pod.TerminationGracePeriodSeconds; have <= need {
		t.Errorf("gateway %v is killed after %d s, and may need %d", pod.Containers[0].Args, have, need)
	}
}

// checkPorts holds what a gateway listens at against the ports of its container.
func checkPorts(t *testing.T, c *corev1.Container, settings map[string]string) {
	t.Helper()
	want := []string{settings["HEALTH_ADDRESS"], settings["PROCESS_METRICS_ENDPOINT"]}
	switch c.Args[0] {
	case "mqtt":
		want = append(want, settings["MQTT_TCP_ADDRESS"], settings["MQTT_TLS_ADDRESS"])
	case "integration":
		want = append(want, settings["INTEGRATION_MQTT_TCP_ADDRESS"], settings["INTEGRATION_MQTT_TLS_ADDRESS"], settings["INTEGRATION_WEB_ADDRESS"])
	case "http":
		want = append(want, settings["HTTP_TLS_ADDRESS"])
	case "coap":
		want = append(want, settings["COAP_ADDRESS"], settings["COAP_SECURE_ADDRESS"])
	}
	want = slices.DeleteFunc(want, func(a string) bool { return a == "" })
	var have []string
	for _, p := range c.Ports {
		have = append(have, fmt.Sprintf(":%d", p.ContainerPort))
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("gateway %s listens at %v, its container has the ports %v", c.Args[0], want, have)
	}
}

// checkFiles looks for the Secrets in which files lie.
func checkFiles(t *testing.T, pod *corev1.PodSpec, paths ...string) {
	t.Helper()
	for _, v := range checkVolumes(t, pod, paths...) {
		if _, ok := secrets[v.Secret.SecretName]; !ok {
			t.Errorf("nobody provides the Secret %s", v.Secret.SecretName)
		}
	}
}

// checkVolumes looks for the volumes in which files lie.
func checkVolumes(t *testing.T, pod *corev1.PodSpec, paths ...string) (volumes []corev1.Volume) {
	t.Helper()
	for _, path := range paths {
		if path == "" {
			continue
		}
		i := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool {
			return path == m.MountPath || strings.HasPrefix(path, m.MountPath+"/")
		})
		if i < 0 {
			t.Errorf("%s is on no volume", path)
			continue
		}
		j := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == pod.Containers[0].VolumeMounts[i].Name })
		volumes = append(volumes, pod.Volumes[j])
	}
	return volumes
}

var reference = regexp.MustCompile(`^\{\{ (secret|configMap):([a-z-]+)(?::([a-z.-]+))? \}\}$`)

// What a func.yaml and the ConfigMaps tell a function, the function understands.
func TestFunctionsLoadTheirSettings(t *testing.T) {
	eachOverlay(t, func(t *testing.T, overlay string) {
		maps := configMaps(t, overlay)
		for name, f := range functions(t) {
			var environment []string
			for _, e := range f.Run.Envs {
				parts := reference.FindStringSubmatch(e.Value)
				switch {
				case parts == nil:
					environment = append(environment, e.Name+"="+e.Value)
				case parts[1] == "secret":
					environment = append(environment, e.Name+"="+secret(t, parts[2], parts[3]))
				case maps[parts[2]] == nil || parts[3] != "":
					t.Errorf("%s: %s is nothing that config/ has", name, e.Value)
				default:
					for key, value := range maps[parts[2]] {
						environment = append(environment, key+"="+value)
					}
				}
			}
			understood(t, environment, "function")
			for _, v := range f.Run.Volumes {
				if _, ok := secrets[v.Secret]; !ok {
					t.Errorf("%s: nobody provides the Secret %q", name, v.Secret)
				}
			}
			if f.Deploy.HealthEndpoints["readiness"] != "/health/readiness" || f.Deploy.Options.Scale == nil || f.Deploy.Options.Resources == nil {
				t.Errorf("%s has no probes or no bounds", name)
			}
		}
	})
}

// Gateways ask the function that is deployed as auth, which nobody outside of the cluster reaches.
func TestGatewaysAskAuth(t *testing.T) {
	auth := functions(t)["fairlead-auth"]
	if !slices.Contains(auth.Deploy.Labels, struct{ Key, Value string }{"networking.knative.dev/visibility", "cluster-local"}) {
		t.Error("auth can be reached from outside of the cluster")
	}
	eachOverlay(t, func(t *testing.T, overlay string) {
		for _, d := range objects[*appsv1.Deployment](t, overlay) {
			for _, e := range d.Spec.Template.Spec.Containers[0].Env {
				if e.Name != "FAIRLEAD_AUTH_CLIENT_URL" {
					continue
				}
				if u, err := url.Parse(e.Value); err != nil || u.Host != auth.Name+"."+d.Namespace+".svc.cluster.local" {
					t.Errorf("%s asks %s", d.Name, e.Value)
				}
			}
		}
	})
}

// env is the value of a variable that a func.yaml sets; "" if it does not.
func (f *function) env(name string) string {
	for _, e := range f.Run.Envs {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// Commands without a token are taken from within the cluster only, and the Triggers of applications deliver there.
func TestOpenEventsStayInside(t *testing.T) {
	all := functions(t)
	for name, f := range all {
		inside := slices.Contains(f.Deploy.Labels, struct{ Key, Value string }{"networking.knative.dev/visibility", "cluster-local"})
		if f.env("FAIRLEAD_COMMAND_OPEN_EVENTS") != "" && !inside {
			t.Errorf("%s takes commands without a token, and can be reached from outside of the cluster", name)
		}
	}
	provision := all["fairlead-provision"]
	target := all[provision.env("FAIRLEAD_PROVISION_COMMAND")]
	if target.env("FAIRLEAD_FUNCTION") != "command" || target.env("FAIRLEAD_COMMAND_OPEN_EVENTS") != "true" {
		t.Errorf("the Triggers for commands deliver to %q", target.Name)
	}
}
