//go:build cluster

package cluster

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// kill ends the pods of a function at once, without a word to them.
func kill(t testing.TB, function string) {
	t.Helper()
	kubectl(t, "delete", "pods", "-l", "serving.knative.dev/service="+function, "--force", "--grace-period", "0")
}

// killPush kills functions/push while it delivers, and gives it a new revision. Every acknowledged message comes to the endpoint. One that
// was on its way then may come again, as the guide says, and is the same event.
func (w *world) killPush(t *testing.T) {
	const devices, times = 10, 5
	a := w.tenant
	a.pushTo(t, "http://receiver.fairlead.svc.cluster.local/?delay=200ms") // so that deliveries are under way at every moment
	f := launch(t, a, "pushed", overHTTP(t, a), devices, 100*time.Millisecond)
	for range times {
		eventually(t, "functions/push to be awake", "kubectl -n fairlead get pods", func() bool { return awake(t, "fairlead-push") > 0 })
		kill(t, "fairlead-push")
		f.more(t, 10*devices)
	}
	restartFunction(t, "fairlead-push")
	f.more(t, 10*devices)
	f.land()
	took := eventually(t, "everything that was acknowledged at the endpoint", "the logs of mt-broker-filter and of fairlead-push", func() bool {
		return f.lost(came(t, a, ofPush)) == 0
	})
	if refused := f.Counts().Refused; refused > 0 {
		t.Errorf("%d messages were refused", refused)
	}
	messages, again := came(t, a, ofPush), 0
	for _, n := range messages {
		again += n - 1
	}
	t.Logf("killed %d times and restarted: %+v, all there %v later; %d came again", times, f.Counts(), took, again)
	w.mustRepeatEvents(t, f)
}

// mustRepeatEvents checks that a message came as other events only where its device sent it again.
func (w *world) mustRepeatEvents(t *testing.T, f *fleet) {
	t.Helper()
	ids := map[string]map[string]bool{}
	for _, e := range received(t) {
		if e.Application != w.tenant.name || !ofPush(e) || !strings.HasPrefix(e.Device, f.name+"-") {
			continue
		}
		if ids[e.Data] == nil {
			ids[e.Data] = map[string]bool{}
		}
		ids[e.Data][e.ID] = true
	}
	others := 0
	for _, of := range ids {
		others += len(of) - 1
	}
	if unknown := f.Counts().Unknown; others > unknown {
		t.Errorf("%d messages came as another event, and devices sent only %d again", others, unknown)
	}
}

// killProvision kills functions/provision while it works on many new applications, and again while it takes them away.
func (w *world) killProvision(t *testing.T) {
	const applications = 12
	admin := w.tenant.admin
	var all []*tenant
	for n := range applications {
		if n == applications/2 {
			kill(t, "fairlead-provision")
		}
		all = append(all, newTenant(t))
	}
	kill(t, "fairlead-provision")
	for _, a := range all {
		w.mustBeWhole(t, a)
	}
	for n, a := range all {
		if n == applications/2 {
			kill(t, "fairlead-provision")
		}
		must(t, http.MethodDelete, a.api+"/"+a.name, admin, nil, "")
	}
	kill(t, "fairlead-provision")
	for _, a := range all {
		w.mustBeGone(t, a)
	}
	t.Logf("%d applications were made and deleted, functions/provision was killed four times", applications)
}

func label(a *tenant) string { return "fairlead.dev/application=" + a.name }

// mustBeWhole waits until an application is ready, and checks that it has each object once.
func (w *world) mustBeWhole(t *testing.T, a *tenant) {
	t.Helper()
	a.ready(t)
	if !hasTopic(t, a.topic()) {
		t.Errorf("there is no topic %s", a.topic())
	}
	got := strings.Fields(kubectl(t, "get", "brokers,triggers,eventtypes", "-l", label(a), "-o", "name"))
	want := strings.Fields(kubectl(t, "get", "brokers,triggers,eventtypes", "-l", label(w.tenant), "-o", "name"))
	// The application of the other steps has a Trigger to functions/push besides.
	if len(got) != len(want)-1 {
		t.Errorf("%s has %q, an application of its kind %q", a.name, got, want)
	}
}

// mustBeGone waits until nothing of an application is left.
func (w *world) mustBeGone(t *testing.T, a *tenant) {
	t.Helper()
	eventually(t, a.name+" to be gone", "fairlead app get "+a.name+" -o yaml, and the log of fairlead-provision", func() bool {
		status, _, err := send(http.MethodGet, a.api+"/"+a.name, a.admin, nil, "")
		return err == nil && status == http.StatusNotFound
	})
	if left := kubectl(t, "get", "brokers,triggers,eventtypes", "-l", label(a), "-o", "name"); left != "" {
		t.Errorf("of %s there is still %s", a.name, left)
	}
	eventually(t, "the topic "+a.topic()+" to be gone", "the log of fairlead-provision", func() bool { return !hasTopic(t, a.topic()) })
}

// replay has a pod deliver what is in the topic of the application to the receiver.
func (w *world) replay(t *testing.T) {
	before := len(received(t))
	command := exec.Command(setting(t, "CLUSTER_ROOT")+"/config/cli", "replay", w.tenant.name, "--from", "start",
		"--to", fmt.Sprintf("http://receiver.%s.svc.cluster.local/", namespace))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	after := len(received(t))
	if after <= before {
		t.Errorf("nothing was delivered: %s", out)
	}
	t.Logf("%d events were delivered again: %s", after-before, tail(string(out)))
}
