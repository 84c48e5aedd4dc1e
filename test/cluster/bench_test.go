//go:build cluster

package cluster

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestBench measures; it fails where a message is lost, and not for its numbers, which depend on the cluster.
func TestBench(t *testing.T) {
	t.Log("cluster:\n" + run(t, "kubectl", "get", "nodes", "-o",
		"custom-columns=NODE:.metadata.name,CPU:.status.capacity.cpu,MEMORY:.status.capacity.memory,KUBERNETES:.status.nodeInfo.kubeletVersion"))
	deploy(t)
	a := newTenant(t)
	a.ready(t)
	t.Run("image of the functions", imageSize)
	t.Run("TTN body to a sleeping function, and to one that is awake", func(t *testing.T) { wake(t, a) })
	t.Run("memory", func(t *testing.T) { memory(t, a) })
	t.Run("events of a sink, and of Kafka, in a second of processor time", func(t *testing.T) { sinkBesideKafka(t, a) })
	t.Run("rolling restart of the MQTT gateway under 1,000 devices", func(t *testing.T) { restartUnderFleet(t, a) })
	t.Run("an idle installation", idleCost)
}

// imageSize adds up what a node has to fetch.
func imageSize(t *testing.T) {
	image, err := os.ReadFile(setting(t, "CLUSTER_ROOT") + "/build/images/functions")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Layers []struct{ Size int64 } }
	text := run(t, setting(t, "CLUSTER_ROOT")+"/build/tools/crane", "manifest", "--platform", "linux/amd64", strings.TrimSpace(string(image)))
	if err := json.Unmarshal([]byte(text), &manifest); err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	t.Logf("%.1f MB compressed, of at most 50", float64(size)/1e6)
}

// wake posts the body to functions/ttn when it sleeps, and then many times. The function falls asleep sooner than usual meanwhile, so
// that there are some rounds.
func wake(t *testing.T, a *tenant) {
	const rounds, requests = 9, 500
	body, device := uplink(t)
	a.device(t, "ttn-gateway", credentials)
	a.device(t, device, `{"gatewaySelector":{"matchNames":["ttn-gateway"]}}`)
	window := func(value string) {
		kubectl(t, "patch", "services.serving.knative.dev", "fairlead-ttn", "--type", "merge", "-p",
			`{"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/window":`+value+`}}}}}`)
		kubectl(t, "wait", "services.serving.knative.dev/fairlead-ttn", "--for", "condition=Ready", "--timeout", "120s")
	}
	window(`"6s"`)
	defer window("null")
	url := address(t, "fairlead-ttn") + "/ttn/v3"
	post := func() time.Duration {
		started := time.Now()
		must(t, http.MethodPost, url, a.as("ttn-gateway"), jsonContent, body)
		return time.Since(started)
	}
	var cold, warm []time.Duration
	for range rounds {
		asleep(t, "fairlead-ttn")
		cold = append(cold, post())
	}
	for range requests {
		warm = append(warm, post())
	}
	t.Logf("asleep: median %v, longest %v of %d; goal: median 1.5 s", quantile(cold, 0.5), quantile(cold, 1), rounds)
	t.Logf("awake: p50 %v, p99 %v of %d, one after the other", quantile(warm, 0.5), quantile(warm, 0.99), requests)
}

// A sample is what the kubelet says of a container.
type sample struct {
	pod, container string
	memory         float64   // MB: anonymous memory and mapped files that are charged to it
	cpu            float64   // seconds since it started
	at             time.Time // of the measurement of cpu
}

// metric is a line of the kubelet's metrics about a container of Fairlead.
var metric = regexp.MustCompile(`(?m)^container_(memory_rss|memory_mapped_file|cpu_usage_seconds_total)\{container="([^"]+)".*namespace="fairlead",pod="([^"]+)"\} (\S+) (\d+)$`)

// samples are of the containers of Fairlead on all nodes, by pod and container.
func samples(t *testing.T) map[string]*sample {
	t.Helper()
	all := map[string]*sample{}
	for _, node := range strings.Fields(run(t, "kubectl", "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")) {
		text := run(t, "kubectl", "get", "--raw", "/api/v1/nodes/"+node+"/proxy/metrics/cadvisor")
		for _, m := range metric.FindAllStringSubmatch(text, -1) {
			value, err := strconv.ParseFloat(m[4], 64)
			if err != nil {
				t.Fatal(err)
			}
			s := all[m[3]+m[2]]
			if s == nil {
				s = &sample{pod: m[3], container: m[2]}
				all[m[3]+m[2]] = s
			}
			if m[1] == "cpu_usage_seconds_total" {
				milliseconds, _ := strconv.ParseInt(m[5], 10, 64)
				s.cpu, s.at = s.cpu+value, time.UnixMilli(milliseconds)
			} else {
				s.memory += value / 1e6
			}
		}
	}
	return all
}

// memory has functions work, and says what memory they and the gateways have when nothing happens: resident in their processes, where the test
// runs on the node, and as the kernel charges it to their containers, which leaves out what pods of one image share.
func memory(t *testing.T, a *tenant) {
	for _, name := range []string{"fairlead-telemetry", "fairlead-ttn", "fairlead-auth", "fairlead-push", "fairlead-command"} {
		_, _, _ = send(http.MethodGet, address(t, name)+"/", login{}, nil, "")
	}
	const devices, applications = 200, 10
	for n := range devices {
		a.device(t, "memory-"+strconv.Itoa(n), credentials)
	}
	for range applications {
		newTenant(t).ready(t)
	}
	highest, last := map[string]float64{}, map[string]float64{}
	const stretch = 45 * time.Second // after which an idle function falls asleep, soon
	for started := time.Now(); time.Since(started) < stretch; time.Sleep(time.Second) {
		for pod, m := range residents(t) {
			highest[pod], last[pod] = max(highest[pod], m), m
		}
	}
	for _, pod := range slices.Sorted(maps.Keys(last)) {
		t.Logf("%s: resident %.0f MB when idle, %.0f MB at most; goal: a function 40 MB, a gateway 60 MB", pod, last[pod], highest[pod])
	}
	for _, s := range samples(t) {
		if (s.container == "user-container" || s.container == "gateway") && s.memory > 0 && !strings.HasPrefix(s.pod, "receiver") {
			t.Logf("%s: %.0f MB charged to it, beside what pods of one image share", s.pod, s.memory)
		}
	}
}

// restartUnderFleet has 1,000 devices publish while the gateway is restarted. It writes to Kafka, whatever the overlay says, so that what
// is stored can be held against what was acknowledged, with its order.
func restartUnderFleet(t *testing.T, a *tenant) {
	const devices = 1000
	toKafka(t, "fairlead-gateway-mqtt")
	f := launch(t, a, "numbered", overMQTT(t, a), devices, 2*time.Second)
	restartPods(t, "fairlead-gateway-mqtt")
	eventually(t, "every device to be connected again", "the logs of the gateway", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.gaps) >= devices
	})
	verify(t, a, f)
}

// idleCost says what runs when nothing happens.
func idleCost(t *testing.T) {
	asleep(t, functions...)
	before, started := samples(t), time.Now()
	const stretch = time.Minute
	time.Sleep(stretch) // over which is measured
	for key, s := range samples(t) {
		if s.container != "gateway" || before[key] == nil {
			continue
		}
		t.Logf("%s: %.0f MB, %.1f thousandths of a core", s.pod, s.memory, (s.cpu-before[key].cpu)/time.Since(started).Seconds()*1000)
	}
	t.Log("requested:\n" + kubectl(t, "get", "pods", "--field-selector", "status.phase=Running", "-o",
		"custom-columns=POD:.metadata.name,CPU:.spec.containers[*].resources.requests.cpu,MEMORY:.spec.containers[*].resources.requests.memory"))
}
