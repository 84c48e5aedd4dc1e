//go:build cluster

package cluster

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/test/mqttclient"
)

// TestCluster shows that Fairlead works on the cluster, step by step; each step builds on those before it.
func TestCluster(t *testing.T) {
	deploy(t)
	w := &world{}
	step := func(name string, f func(*testing.T)) {
		if !t.Failed() {
			t.Run(name, f)
		}
	}
	step("a second make deploy changes nothing", deployAgain)
	w.tenant = newTenant(t)
	step("a new application gets its topic, Broker and Triggers", w.applicationIsGiven)
	step("a Trigger names a Knative Service", w.triggerToReceiver)
	step("idle, every function sleeps", idle)
	step("a TTN body wakes functions/ttn and ends at the Service of the Trigger", w.uplink)
	step("a device of the MQTT gateway wakes functions/auth and is not refused", w.connect)
	step("a device with a certificate wakes functions/telemetry through gateway http", w.front)
	step("a Trigger that was deleted comes back", w.drift)
	step("Triggers to functions show tokens if they are to", w.audiences)
	step("push wakes, delivers with credentials, and sleeps again", w.push)
	step("a command wakes functions/command and reaches a device", w.command)
	step("a rolling restart of gateway and function loses nothing", w.restart)
	step("a consumer with an access token gets an event of a device", w.consume)
	step("a rolling restart of every gateway and function loses nothing that Kafka was given", w.restartEverything)
	step("a command that reached its device is there, while functions/command restarts", w.restartCommand)
	step("a killed functions/push loses nothing", w.killPush)
	step("a killed functions/provision leaves nothing undone", w.killProvision)
	step("events of a topic are delivered again from a pod", w.replay)
	step("a deleted application takes everything with it", w.deletion)
	step("idle again, every function sleeps", idle)
}

// A world is what the steps share.
type world struct{ tenant *tenant }

func deploy(t *testing.T) {
	t.Helper()
	started := time.Now()
	out := run(t, "make", "--no-print-directory", "-C", setting(t, "CLUSTER_ROOT"), "deploy", "OVERLAY="+setting(t, "CLUSTER_OVERLAY"), "REGISTRY=")
	t.Logf("make deploy, %v:\n%s", time.Since(started).Round(time.Second), tail(out))
	if class := brokerClass(t); readsKafka(class) {
		t.Logf("path of events: Kafka, and Brokers of class %s", class)
	} else {
		t.Logf("path of events: K_SINK to a Broker, and Brokers of class %s; topics in Kafka beside them", class)
	}
}

// brokerClass is that of the Brokers of applications.
func brokerClass(t *testing.T) string {
	t.Helper()
	return cmp.Or(functionSetting(t, "FAIRLEAD_PROVISION_BROKER_CLASS"), "Kafka")
}

// readsKafka tells whether Brokers of a class read the topic of their application. Others get its events from a Trigger.
func readsKafka(class string) bool { return strings.HasPrefix(class, "Kafka") }

// state is the version of everything that make deploy keeps. Status of what sleeps and wakes is no part of it.
func state(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	add := func(kinds, field string) {
		all.WriteString(kubectl(t, "get", kinds, "-l", "app.kubernetes.io/part-of=fairlead", "--sort-by=.metadata.name",
			"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} `+field+`{"\n"}{end}`) + "\n")
	}
	add("services.serving.knative.dev,deployments,brokers,triggers,pingsources.sources.knative.dev", "{.metadata.generation}")
	add("configmaps,secrets,serviceaccounts,roles,rolebindings,services,jobs", "{.metadata.uid}{.data}{.spec}{.rules}")
	return all.String()
}

func deployAgain(t *testing.T) {
	before := state(t)
	run(t, "make", "--no-print-directory", "-C", setting(t, "CLUSTER_ROOT"), "deploy", "OVERLAY="+setting(t, "CLUSTER_OVERLAY"), "REGISTRY=")
	if after := state(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	t.Logf("%d objects are as they were", strings.Count(before, "\n"))
}

func (w *world) applicationIsGiven(t *testing.T) {
	took := w.tenant.ready(t)
	t.Logf("ready %v after it was made", took)
	for _, object := range w.objects(t) {
		t.Log("there is " + kubectl(t, "get", object, "-o", "name"))
	}
	if status, why := w.tenant.condition(t, "KafkaReady"); status != "True" {
		t.Errorf("its topic: %s", why)
	}
	if !hasTopic(t, w.tenant.topic()) {
		t.Errorf("there is no topic %s", w.tenant.topic())
	}
}

// objects are those that every application of this overlay has.
func (w *world) objects(t *testing.T) []string {
	t.Helper()
	all := []string{"brokers/" + w.tenant.name}
	if !readsKafka(brokerClass(t)) {
		all = append(all, "triggers/"+w.tenant.name+"-events")
	}
	return all
}

func (w *world) triggerToReceiver(t *testing.T) {
	apply(t, fmt.Sprintf(`
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: receiver}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/min-scale: "1", autoscaling.knative.dev/max-scale: "1"}}
    spec:
      containers:
        - image: %s
          securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}
---
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: %[2]s-to-receiver}
spec:
  broker: %[2]s
  filters: [{exact: {type: io.drogue.event.v1}}]
  delivery: {retry: 5, backoffPolicy: exponential, backoffDelay: PT0.5S, timeout: PT30S}
  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: receiver}}
`, setting(t, "CLUSTER_RECEIVER"), w.tenant.name))
	kubectl(t, "wait", "services.serving.knative.dev/receiver", "triggers/"+w.tenant.name+"-to-receiver", "--for", "condition=Ready", "--timeout", "120s")
}

func idle(t *testing.T) {
	t.Logf("all of %d functions asleep after %v", len(functions), asleep(t, functions...))
	t.Log("what runs:\n" + kubectl(t, "get", "pods", "--field-selector", "status.phase=Running"))
}

// arrives waits for an event at the receiver.
func (w *world) arrives(t *testing.T, what string, is func(event) bool) time.Duration {
	t.Helper()
	return eventually(t, what+" at the receiver", "kubectl -n fairlead get triggers, and the logs of mt-broker-ingress and -filter", func() bool {
		for _, e := range received(t) {
			if e.Application == w.tenant.name && is(e) {
				return true
			}
		}
		return false
	})
}

func (w *world) uplink(t *testing.T) {
	body, device := uplink(t)
	w.tenant.device(t, "ttn-gateway", credentials)
	w.tenant.device(t, device, `{"gatewaySelector":{"matchNames":["ttn-gateway"]}}`)
	asleep(t, "fairlead-ttn")
	started := time.Now()
	must(t, http.MethodPost, address(t, "fairlead-ttn")+"/ttn/v3", w.tenant.as("ttn-gateway"), jsonContent, body)
	t.Logf("accepted after %v", time.Since(started).Round(time.Millisecond))
	w.arrives(t, "the uplink", func(e event) bool { return e.Device == device && e.Type == "io.drogue.event.v1" })
	t.Logf("there %v after it was sent", time.Since(started).Round(time.Millisecond))
}

// uplink is a body that The Things Stack sent, and the device that it is about.
func uplink(t testing.TB) (body, device string) {
	t.Helper()
	text, err := os.ReadFile(setting(t, "CLUSTER_ROOT") + "/functions/ttn/testdata/v3-uplink_message-drogue-2.json")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `"device_id"`)
	return string(text), strings.Split(rest, `"`)[1]
}

func (w *world) connect(t *testing.T) {
	w.tenant.device(t, "mqtt", credentials)
	asleep(t, "fairlead-auth")
	started := time.Now()
	link := dial(t, w.tenant, "mqtt")
	defer link.Close()
	t.Logf("admitted after %v; functions/auth has %d pods", time.Since(started).Round(time.Millisecond), awake(t, "fairlead-auth"))
}

func dial(t testing.TB, a *tenant, device string) *mqttclient.Client {
	t.Helper()
	as := a.as(device)
	link, err := mqttclient.Dial(context.Background(), mqttclient.TCP(mqttAddress(t)), as.user, as.user, as.secret)
	if err != nil {
		t.Fatalf("%v. Look at: kubectl -n fairlead logs deployment/fairlead-gateway-mqtt", err)
	}
	return link
}

// ping wakes functions/provision as its PingSource does, without waiting for the minute of its schedule.
func ping(t *testing.T) {
	t.Helper()
	must(t, http.MethodPost, address(t, "fairlead-provision"), login{}, map[string]string{
		"Ce-Specversion": "1.0", "Ce-Type": "dev.knative.sources.ping", "Ce-Source": "/cluster-test", "Ce-Id": "1",
	}, "")
}

func (w *world) drift(t *testing.T) {
	objects := w.objects(t)
	last := objects[len(objects)-1]
	kubectl(t, "delete", last)
	ping(t)
	took := eventually(t, last+" to be back", "the log of fairlead-provision", func() bool {
		return kubectl(t, "get", last, "--ignore-not-found", "-o", "name") != ""
	})
	t.Logf("%s is back %v after a ping", last, took)
}

// audiences has functions/provision give Triggers an audience, and take it away again.
func (w *world) audiences(t *testing.T) {
	trigger := "triggers/" + w.tenant.name + "-command"
	audience := func() string { return kubectl(t, "get", trigger, "-o", "jsonpath={.spec.subscriber.audience}") }
	restore := override(t, "fairlead-provision", "FAIRLEAD_PROVISION_OIDC", "true")
	ping(t)
	eventually(t, trigger+" to have an audience", "the log of fairlead-provision", func() bool { return audience() == "fairlead-command-events" })
	kubectl(t, "wait", trigger, "--for", "condition=Ready", "--timeout", "120s")
	restore()
	ping(t)
	eventually(t, trigger+" to have no audience", "the log of fairlead-provision", func() bool { return audience() == "" })
}

// pushTo gives an application an endpoint, with credentials.
func (a *tenant) pushTo(t *testing.T, url string) {
	t.Helper()
	must(t, http.MethodPut, a.api+"/"+a.name, a.admin, jsonContent, fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"knative":{"endpoint":{
		"url":%q,"auth":{"basic":{"username":"ada","password":"lovelace"}}}}}}`, a.name, url))
}

func (w *world) push(t *testing.T) {
	a := w.tenant
	a.pushTo(t, "http://receiver.fairlead.svc.cluster.local/")
	eventually(t, "the Trigger to functions/push", "fairlead app get "+a.name+" -o yaml", func() bool {
		return kubectl(t, "get", "triggers/"+a.name+"-push", "--ignore-not-found", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`) == "True"
	})
	asleep(t, "fairlead-push")
	a.device(t, "pushed", credentials)
	started := time.Now()
	must(t, http.MethodPost, address(t, "fairlead-telemetry")+"/v1/push", a.as("pushed"), jsonContent, `{"n":1}`)
	w.arrives(t, "the pushed event, with its credentials", func(e event) bool {
		return e.Device == "pushed" && e.User == "ada" && e.Password == "lovelace"
	})
	t.Logf("delivered with credentials %v after it was sent; asleep again after %v", time.Since(started).Round(time.Millisecond), asleep(t, "fairlead-push"))
}

func (w *world) command(t *testing.T) {
	a := w.tenant
	a.device(t, "commanded", credentials)
	link := dial(t, a, "commanded")
	defer link.Close()
	if err := link.SubscribeTo("command/inbox/#", 0); err != nil {
		t.Fatal(err)
	}
	asleep(t, "fairlead-command")
	started := time.Now()
	must(t, http.MethodPost, address(t, "fairlead-command")+"/api/command/v1alpha1/apps/"+a.name+"/devices/commanded?command=switch&timeout=10", a.admin, textContent, "on")
	for {
		if err := link.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		kind, body, err := link.ReadPacket()
		if err != nil {
			t.Fatalf("waiting for the command: %v. Look at: the logs of fairlead-command and of the gateway", err)
		}
		if kind == mqttclient.Publish && strings.Contains(string(body), "switch") && strings.HasSuffix(string(body), "on") {
			t.Logf("the device has it %v after it was sent", time.Since(started).Round(time.Millisecond))
			return
		}
	}
}

func (w *world) restart(t *testing.T) {
	const devices = 20
	f := launch(t, w.tenant, "numbered", overMQTT(t, w.tenant), devices, 250*time.Millisecond)
	restartPods(t, "fairlead-gateway-mqtt")
	accepted := w.newRevision(t)
	eventually(t, "every device to be connected again", "the logs of the gateway", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.gaps) >= devices
	})
	f.land()
	eventually(t, "everything that was acknowledged", "the logs of imc-dispatcher, mt-broker-filter and functions/push", func() bool {
		return f.lost(came(t, w.tenant, ofTrigger)) == 0
	})
	t.Logf("over MQTT: %+v, 0 of them lost; without service: median %v, p99 %v of %d devices", f.Counts(), quantile(f.gaps, 0.5), quantile(f.gaps, 0.99), devices)
	w.arrives(t, "the last message over HTTP", func(e event) bool { return e.Device == "http" && e.Data == fmt.Sprintf(`{"n":%d}`, accepted) })
}

// newRevision gives functions/telemetry a new revision while a device posts one message after the other, each until it is accepted. It
// gives the number of the last one.
func (w *world) newRevision(t *testing.T) (n int) {
	t.Helper()
	w.tenant.device(t, "http", credentials)
	url, refused := address(t, "fairlead-telemetry")+"/v1/http", 0
	revision := func() string {
		return kubectl(t, "get", "services.serving.knative.dev", "fairlead-telemetry", "-o", "jsonpath={.status.latestReadyRevisionName}")
	}
	before := revision()
	kubectl(t, "patch", "services.serving.knative.dev", "fairlead-telemetry", "--type", "merge", "-p",
		`{"spec":{"template":{"metadata":{"annotations":{"cluster-test/restarted":"`+time.Now().Format(time.RFC3339)+`"}}}}}`)
	for n = 1; n < 50 || revision() == before; n++ {
		if n > 5000 {
			t.Fatal("fairlead-telemetry has no new revision. Look at: kubectl -n fairlead get revisions")
		}
		for {
			status, answer, err := send(http.MethodPost, url, w.tenant.as("http"), jsonContent, fmt.Sprintf(`{"n":%d}`, n))
			if status == http.StatusAccepted {
				break
			}
			if status/100 == 4 {
				t.Fatalf("%d %s", status, answer)
			}
			if refused++; refused > 100 {
				t.Fatalf("%d %s %v", status, answer, err)
			}
		}
	}
	t.Logf("over HTTP: %d messages accepted while functions/telemetry changed to another revision, %d sent again", n-1, refused)
	return n - 1
}

func (w *world) deletion(t *testing.T) {
	a, objects := w.tenant, w.objects(t)
	must(t, http.MethodDelete, a.api+"/"+a.name, a.admin, nil, "")
	took := eventually(t, a.name+" to be gone", "fairlead app get "+a.name+" -o yaml, and the log of fairlead-provision", func() bool {
		status, _, err := send(http.MethodGet, a.api+"/"+a.name, a.admin, nil, "")
		return err == nil && status == http.StatusNotFound
	})
	for _, object := range objects {
		if kubectl(t, "get", object, "--ignore-not-found", "-o", "name") != "" {
			t.Errorf("%s is still there", object)
		}
	}
	eventually(t, "the topic "+a.topic()+" to be gone", "the log of fairlead-provision", func() bool { return !hasTopic(t, a.topic()) })
	kubectl(t, "delete", "triggers/"+a.name+"-to-receiver")
	t.Logf("gone %v after it was deleted", took)
}
