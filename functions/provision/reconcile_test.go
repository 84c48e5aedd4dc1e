package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/registry"
)

func TestNewApplication(t *testing.T) {
	w := newWorld(t, nil)
	uid := w.put("app", endpoint)
	w.reconcile("app")
	w.want("Broker app", "KafkaSink app-dead-letters", "Trigger app-push")
	if w.kafka.owner("events-app") != uid || w.kafka.owner("dead-letters-app") != uid {
		t.Errorf("topics %v", w.kafka.topics)
	}
	for _, kind := range []string{registry.KafkaReady, registry.KnativeReady, registry.Ready} {
		w.condition("app", kind, registry.True, "")
	}
	if got := w.read("app").Metadata.Finalizers; !slices.Equal(got, []string{finalizerKafka, finalizerKnative}) {
		t.Errorf("finalizers %q", got)
	}
	if w.told.take() != 2 {
		t.Error("the changes were not told")
	}
	// A second look writes nothing to the registry, and makes no other objects.
	before := w.read("app")
	w.reconcile("app")
	if after := w.read("app"); after.Metadata.Revision != before.Metadata.Revision || w.told.take() != 0 {
		t.Error("a second look changed the application")
	}
}

func TestDrift(t *testing.T) {
	w := newWorld(t, nil)
	w.put("app", endpoint)
	w.reconcile("app")
	w.server.Remove("Broker app")
	changed := w.server.Objects()["Trigger app-push"]
	changed["spec"].(map[string]any)["broker"] = "another"
	w.server.Put(changed)
	w.reconcile("app")
	w.want("Broker app", "KafkaSink app-dead-letters", "Trigger app-push")
	if got := w.server.Objects()["Trigger app-push"].Text("spec", "broker"); got != "app" {
		t.Errorf("the Trigger reads %q", got)
	}
	w.change("app", withKnative(`{"disabled":true,`+endpoint[1:]))
	w.reconcile("app")
	w.want("Broker app", "KafkaSink app-dead-letters")
	w.change("app", func(a *registry.Application) { a.Metadata.Finalizers = nil })
	w.reconcile("app")
	if len(w.read("app").Metadata.Finalizers) != 2 {
		t.Error("the finalizers are not there again")
	}
}

func TestDeletion(t *testing.T) {
	w := newWorld(t, nil)
	uid := w.put("app", endpoint)
	w.put("other", "")
	w.reconcile("app")
	w.reconcile("other")
	if _, err := w.store.DeleteApplication(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	w.kafka.fail("app", errors.New("away"))
	if w.Reconcile(t.Context(), "app", uid) == nil {
		t.Error("the application went before its topics")
	}
	w.read("app")
	w.kafka.fail("app", nil)
	if err := w.Reconcile(t.Context(), "app", uid); err != nil {
		t.Fatal(err)
	}
	w.want("Broker other", "KafkaSink other-dead-letters")
	if w.kafka.owner("events-app") != "" || w.kafka.owner("dead-letters-app") != "" || w.kafka.owner("events-other") == "" {
		t.Errorf("topics %v", w.kafka.topics)
	}
	if _, err := w.store.Application(t.Context(), "app"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the application is still there: %v", err)
	}
	if err := w.Reconcile(t.Context(), "app", uid); err != nil { // told once more
		t.Error(err)
	}
}

// TestObjectsThatLinger has an application wait for objects that somebody else's finalizer keeps.
func TestObjectsThatLinger(t *testing.T) {
	w := newWorld(t, nil)
	w.put("app", "")
	w.reconcile("app")
	kept := w.server.Objects()["Broker app"]
	kept["metadata"].(map[string]any)["finalizers"] = []any{"brokers.eventing.knative.dev"}
	w.server.Put(kept)
	if _, err := w.store.DeleteApplication(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := w.Reconcile(ctx, "app", ""); err == nil {
		t.Error("the application went before its Broker")
	}
	w.server.Remove("Broker app")
	w.reconcile("app")
	w.want()
}

// throughChannels has each application get its events by a Trigger at a Broker for all events.
func throughChannels(c *Config) {
	c.Broker, c.DeadLetters.Sink = BrokerConfig{Class: "MTChannelBasedBroker", Source: "all"}, noSink
}

// TestFeedsEndOneAfterTheOther deletes applications at once, in two processes, whose Triggers have Subscriptions to the same channel.
func TestFeedsEndOneAfterTheOther(t *testing.T) {
	w := newWorld(t, throughChannels)
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		w.put(name, "")
		w.reconcile(name)
		if _, err := w.store.DeleteApplication(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	w.server.Writes()
	processes := []*Provisioner{w.Provisioner, New(w.settings, w.Parts)}
	var deleting sync.WaitGroup
	for i, name := range names {
		deleting.Go(func() {
			if err := processes[i%len(processes)].Reconcile(t.Context(), name, ""); err != nil {
				t.Error(err)
			}
		})
	}
	deleting.Wait()
	w.want()
	w.oneAfterTheOther()
}

// TestFeedOfAnEndedProcess has a process end while a Trigger of an application goes.
func TestFeedOfAnEndedProcess(t *testing.T) {
	w := newWorld(t, throughChannels)
	for _, name := range []string{"a", "b"} {
		w.put(name, "")
		w.reconcile(name)
	}
	w.server.Writes()
	if err := w.Cluster.DeleteWithDependents(t.Context(), w.server.Objects()["Trigger a-events"]); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.DeleteApplication(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	w.reconcile("b")
	w.want("Broker a")
	w.oneAfterTheOther()
}

// oneAfterTheOther checks that no Trigger was deleted before the one before it was gone.
func (w *world) oneAfterTheOther() {
	w.Helper()
	under := ""
	for _, write := range w.server.Writes() {
		switch what, object, _ := strings.Cut(write, " "); {
		case !strings.HasPrefix(object, "Trigger "):
		case what == "delete" && under != "":
			w.Errorf("%s was deleted before %s was gone", object, under)
		case what == "delete":
			under = object
		default:
			under = ""
		}
	}
}

// TestGoneWithoutFinalizers is an application whose owner took the finalizers away, and another one that has its name by now.
func TestGoneWithoutFinalizers(t *testing.T) {
	w := newWorld(t, nil)
	uid := w.put("app", endpoint)
	w.reconcile("app")
	w.change("app", func(a *registry.Application) { a.Metadata.Finalizers = nil })
	if _, err := w.store.DeleteApplication(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	second := w.put("app", "")
	if err := w.Reconcile(t.Context(), "app", uid); err != nil {
		t.Fatal(err)
	}
	w.want("Broker app", "KafkaSink app-dead-letters")
	if w.kafka.owner("events-app") != second {
		t.Errorf("topics %v", w.kafka.topics)
	}
}

func TestWhatIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.put("app", endpoint)
	w.server.Admit = func(method string, o kube.Object) (int, string) {
		if method == http.MethodPatch && o.Kind() == triggerKind {
			return http.StatusBadRequest, "admission webhook denied the request: invalid value: spec.filters"
		}
		return w.heal(method, o)
	}
	w.reconcile("app")
	w.want("Broker app", "KafkaSink app-dead-letters")
	if got := w.condition("app", registry.KnativeReady, registry.False, reasonRefused); !strings.Contains(got, "Trigger app-push") || !strings.Contains(got, "spec.filters") {
		t.Errorf("%q does not say what and where", got)
	}
	w.condition("app", registry.KafkaReady, registry.True, "")
	w.condition("app", registry.Ready, registry.False, reasonRefused)
	w.server.Admit = w.heal
	w.reconcile("app")
	w.condition("app", registry.Ready, registry.True, "")

	w.change("app", withKnative(`{"endpoint":{"url":"ftp://hunter2/"}}`))
	w.reconcile("app")
	if got := w.condition("app", registry.KnativeReady, registry.False, reasonInvalid); !strings.Contains(got, "spec.knative.endpoint.url") || strings.Contains(got, "hunter2") {
		t.Errorf("%q", got)
	}
	w.want("Broker app", "KafkaSink app-dead-letters", "Trigger app-push")

	w.kafka.fail("app", fmt.Errorf("making the topic: %w", kerr.InvalidReplicationFactor))
	w.reconcile("app")
	w.condition("app", registry.KafkaReady, registry.False, reasonRefused)
}

func TestWhatIsAway(t *testing.T) {
	w := newWorld(t, nil)
	w.put("app", "")
	w.kafka.fail("app", errors.New("away"))
	if w.Reconcile(t.Context(), "app", "") == nil {
		t.Error("no other attempt is asked for")
	}
	w.condition("app", registry.KafkaReady, registry.Unknown, reasonUnavailable)
	w.condition("app", registry.KnativeReady, registry.True, "")
	w.kafka.fail("app", nil)
	w.server.Admit = func(string, kube.Object) (int, string) { return http.StatusServiceUnavailable, "etcd" }
	if w.Reconcile(t.Context(), "app", "") == nil {
		t.Error("no other attempt is asked for")
	}
	w.condition("app", registry.KafkaReady, registry.True, "")
	w.condition("app", registry.KnativeReady, registry.True, "") // an outage says nothing of what is there
}

func TestObjectOfSomebodyElse(t *testing.T) {
	w := newWorld(t, nil)
	w.put("app", endpoint)
	theirs := kube.NewObject(triggerKind, "app-push")
	theirs["spec"] = map[string]any{"broker": "theirs"}
	w.server.Put(theirs)
	w.reconcile("app")
	if got := w.server.Objects()["Trigger app-push"].Text("spec", "broker"); got != "theirs" {
		t.Errorf("their Trigger reads %q", got)
	}
	w.condition("app", registry.KnativeReady, registry.False, reasonTaken)
	if _, err := w.store.DeleteApplication(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	w.reconcile("app")
	w.want("Trigger app-push")
}

// TestTriggersOutliveTheirBroker has a Broker be gone and not be made again: a Trigger that went would miss events.
func TestTriggersOutliveTheirBroker(t *testing.T) {
	w := newWorld(t, nil)
	w.put("app", endpoint)
	w.reconcile("app")
	w.server.Remove("Broker app")
	w.server.Admit = func(method string, o kube.Object) (int, string) {
		if method == http.MethodPatch && o.Kind() == brokerKind {
			return http.StatusInternalServerError, "failed calling webhook"
		}
		return w.heal(method, o)
	}
	if w.Reconcile(t.Context(), "app", "") == nil {
		t.Error("no other attempt is asked for")
	}
	w.want("KafkaSink app-dead-letters", "Trigger app-push")
}

// TestBrokerOfSomebodyElse is an application that has the name of a Broker which is not its own, perhaps to read its events.
func TestBrokerOfSomebodyElse(t *testing.T) {
	w := newWorld(t, nil)
	w.server.Put(kube.NewObject(brokerKind, "fairlead.registry"))
	w.put("fairlead.registry", endpoint)
	w.reconcile("fairlead.registry")
	w.want("Broker fairlead.registry", "KafkaSink fairlead.registry-dead-letters")
	if got := w.condition("fairlead.registry", registry.KnativeReady, registry.False, reasonTaken); !strings.Contains(got, "Broker fairlead.registry") {
		t.Errorf("%q", got)
	}
	// A Trigger from before goes.
	w.server.Remove("Broker fairlead.registry")
	w.reconcile("fairlead.registry")
	w.want("Broker fairlead.registry", "KafkaSink fairlead.registry-dead-letters", "Trigger fairlead.registry-push")
	w.server.Remove("Broker fairlead.registry")
	w.server.Put(kube.NewObject(brokerKind, "fairlead.registry"))
	w.reconcile("fairlead.registry")
	w.want("Broker fairlead.registry", "KafkaSink fairlead.registry-dead-letters")
}

func TestNotReadyYet(t *testing.T) {
	w := newWorld(t, nil)
	w.put("app", "")
	w.sick["Broker app"] = "topic is not present"
	w.reconcile("app")
	if got := w.condition("app", registry.KnativeReady, registry.Unknown, reasonNotReady); !strings.Contains(got, "Broker app") || !strings.Contains(got, "topic is not present") {
		t.Errorf("%q", got)
	}
	delete(w.sick, "Broker app")
	w.reconcile("app")
	w.condition("app", registry.Ready, registry.True, "")
}

func TestOnlyTopics(t *testing.T) {
	w := newWorld(t, nil)
	w.Cluster = nil
	uid := w.put("app", endpoint)
	w.reconcile("app")
	w.condition("app", registry.Ready, registry.True, "")
	w.condition("app", registry.KnativeReady, "", "")
	if w.kafka.owner("events-app") != uid || w.kafka.owner("dead-letters-app") != "" {
		t.Errorf("topics %v", w.kafka.topics)
	}
	if _, err := w.store.DeleteApplication(t.Context(), "app"); err != nil {
		t.Fatal(err)
	}
	w.reconcile("app")
	if w.kafka.owner("events-app") != "" {
		t.Errorf("topics %v", w.kafka.topics)
	}
}

func TestSweep(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Parallel = 2 })
	const applications = 20
	for i := range applications {
		w.put(fmt.Sprintf("app-%02d", i), "")
	}
	gone := w.put("gone", "")
	w.reconcile("gone")
	w.change("gone", func(a *registry.Application) { a.Metadata.Finalizers = nil })
	if _, err := w.store.DeleteApplication(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	w.kafka.fail("app-03", errors.New("away"))
	// An earlier process came as far as this.
	if err := w.store.SetPosition(t.Context(), work, "app-09"); err != nil {
		t.Fatal(err)
	}
	looked, done, err := w.Sweep(t.Context())
	if err != nil || !done || looked != applications-10 {
		t.Errorf("looked at %d, done %t, %v", looked, done, err)
	}
	looked, done, err = w.Sweep(t.Context())
	if err != nil || !done || looked != applications {
		t.Errorf("looked at %d, done %t, %v", looked, done, err)
	}
	for i := range applications {
		if i != 3 {
			w.condition(fmt.Sprintf("app-%02d", i), registry.Ready, registry.True, "")
		}
	}
	w.condition("app-03", registry.Ready, registry.Unknown, reasonUnavailable)
	for name := range w.server.Objects() {
		if strings.Contains(name, " gone") {
			t.Errorf("the %s of %s is still there", name, gone)
		}
	}
}

func TestLocks(t *testing.T) {
	var l locks
	unlock, err := l.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.lock(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.lock(ended, "a"); err == nil {
		t.Error("a name was given twice")
	}
	unlock()
	again, err := l.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	again()
}
