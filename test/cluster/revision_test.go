//go:build cluster

package cluster

import (
	"encoding/json"
	"testing"
	"time"
)

const (
	environmentPath = "/spec/template/spec/containers/0/env"
	annotationsPath = "/spec/template/metadata/annotations"
)

// revise changes a field of a function, which gives it a new revision, and waits until that has all requests.
func revise(t testing.TB, function, path string, value any) {
	t.Helper()
	patch, err := json.Marshal([]any{map[string]any{"op": "add", "path": path, "value": value}})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "patch", "services.serving.knative.dev", function, "--type", "json", "-p", string(patch))
	eventually(t, "the new revision of "+function, "kubectl -n fairlead get revisions", func() bool { return settled(t, function) })
}

// settled tells whether the newest revision of a function has all requests.
func settled(t testing.TB, function string) bool {
	t.Helper()
	var service struct {
		Metadata struct{ Generation int64 }
		Status   struct {
			ObservedGeneration                                 int64
			LatestReadyRevisionName, LatestCreatedRevisionName string
			Conditions                                         []struct{ Type, Status string }
		}
	}
	if err := json.Unmarshal([]byte(kubectl(t, "get", "services.serving.knative.dev", function, "-o", "json")), &service); err != nil {
		t.Fatal(err)
	}
	if s := service.Status; s.ObservedGeneration != service.Metadata.Generation || s.LatestReadyRevisionName != s.LatestCreatedRevisionName {
		return false
	}
	for _, c := range service.Status.Conditions {
		if c.Type == "Ready" {
			return c.Status == "True"
		}
	}
	return false
}

func latestRevision(t testing.TB, function string) string {
	t.Helper()
	return kubectl(t, "get", "services.serving.knative.dev", function, "-o", "jsonpath={.status.latestReadyRevisionName}")
}

// restartFunction gives a function a new revision that differs from the one before in nothing.
func restartFunction(t testing.TB, function string) {
	t.Helper()
	revise(t, function, annotationsPath+"/cluster-test~1restarted", time.Now().Format(time.RFC3339Nano))
}

// restartPods replaces the pods of a gateway, one after the other.
func restartPods(t testing.TB, gateway string) {
	t.Helper()
	kubectl(t, "rollout", "restart", "deployment/"+gateway)
	rolledOut(t, gateway)
}

// rolledOut waits until a gateway has its new pods, and none of those before, which go on accepting for a moment.
func rolledOut(t testing.TB, gateway string) {
	t.Helper()
	kubectl(t, "rollout", "status", "deployment/"+gateway, "--timeout", "180s")
	eventually(t, "the old pods of "+gateway+" to end", "kubectl -n fairlead get pods", func() bool {
		return kubectl(t, "get", "pods", "-l", "app.kubernetes.io/name="+gateway, "-o",
			"go-template={{range .items}}{{if .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}") == ""
	})
}

// override gives a function a setting of its own, whatever the overlay says, until restore is called.
func override(t testing.TB, function, name, value string) (restore func()) {
	t.Helper()
	var before []any
	text := kubectl(t, "get", "services.serving.knative.dev", function, "-o", "jsonpath={.spec.template.spec.containers[0].env}")
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		t.Fatal(err)
	}
	revise(t, function, environmentPath+"/-", map[string]string{"name": name, "value": value})
	return func() { revise(t, function, environmentPath, before) }
}

// functionToKafka has a function write to Kafka.
func functionToKafka(t testing.TB, function string) (restore func()) {
	t.Helper()
	return override(t, function, "FAIRLEAD_SINK_URL", "")
}
