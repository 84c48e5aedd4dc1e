//go:build cluster

package cluster

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// residents are the resident megabytes of the containers of Fairlead, by pod, as /proc tells them. There are none where the test does not
// run on the node.
func residents(t testing.TB) map[string]float64 {
	t.Helper()
	pods := containers(t)
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, path := range groups {
		group, err := os.ReadFile(path)
		if err != nil {
			continue // the process has ended
		}
		for id, pod := range pods {
			if bytes.Contains(group, []byte(id)) {
				found[pod] += resident(filepath.Dir(path))
			}
		}
	}
	return found
}

// containers are those that run a function or a gateway: their pods by id.
func containers(t testing.TB) map[string]string {
	t.Helper()
	const each = `{{range .items}}{{$pod := .metadata.name}}{{range .status.containerStatuses}}` +
		`{{if or (eq .name "user-container") (eq .name "gateway")}}{{.containerID}} {{$pod}}{{"\n"}}{{end}}{{end}}{{end}}`
	pods := map[string]string{}
	for line := range strings.Lines(kubectl(t, "get", "pods", "--field-selector", "status.phase=Running", "-o", "go-template="+each)) {
		id, pod, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, id, ok := strings.Cut(id, "://"); ok && strings.HasPrefix(pod, "fairlead-") {
			pods[id] = pod
		}
	}
	return pods
}

// resident is the VmRSS of a process in megabytes, or 0 if it has ended.
func resident(process string) float64 {
	status, err := os.Open(filepath.Join(process, "status"))
	if err != nil {
		return 0
	}
	defer status.Close()
	for scanner := bufio.NewScanner(status); scanner.Scan(); {
		if value, ok := strings.CutPrefix(scanner.Text(), "VmRSS:"); ok {
			kilobytes, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kilobytes * 1024 / 1e6
		}
	}
	return 0
}
