package provision

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/kube"
	"github.com/fairlead/fairlead/internal/kube/kubetest"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/sqlite"
	"github.com/fairlead/fairlead/internal/topics"
)

// A world is a provisioner between a registry, an API server and a Kafka. Objects are ready as soon as they are applied.
type world struct {
	testing.TB
	*Provisioner
	server *kubetest.Server
	kafka  *kafka
	told   *told
	store  *store.Store
	sick   map[string]string // reason why an object is not ready, by kind and name
}

func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := migrate.Up(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, store: s, server: kubetest.New(t, kinds...), kafka: &kafka{topics: map[string]string{}}, told: &told{}, sick: map[string]string{}}
	w.server.Admit = w.heal
	cluster := kube.DefaultConfig()
	cluster.URL, cluster.Namespace, cluster.TokenFile = w.server.URL, kubetest.Namespace, ""
	client, err := kube.New(cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c := settings(change)
	c.EventTypes, c.Wait = false, 0
	w.Provisioner = New(*c, Parts{Store: s, Changes: w.told, Topics: w.kafka, Cluster: client})
	return w
}

// heal makes applied objects ready, as their controllers would.
func (w *world) heal(_ string, o kube.Object) (int, string) {
	status, message := "True", ""
	if reason, sick := w.sick[o.String()]; sick {
		status, message = "False", reason
	}
	o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": status, "message": message}}}
	return 0, ""
}

// put writes an application, and returns its uid.
func (w *world) put(name, knative string) string {
	w.Helper()
	if _, err := w.store.CreateApplication(w.Context(), application(name, knative), ""); err != nil {
		w.Fatal(err)
	}
	return w.read(name).Metadata.UID
}

func (w *world) read(name string) *registry.Application {
	w.Helper()
	a, err := w.store.Application(w.Context(), name)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) reconcile(name string) {
	w.Helper()
	if err := w.Reconcile(w.Context(), name, ""); err != nil {
		w.Fatal(err)
	}
}

// want compares the objects that there are.
func (w *world) want(names ...string) {
	w.Helper()
	var got []string
	for name := range w.server.Objects() {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		w.Errorf("objects %q, want %q", got, names)
	}
}

// condition compares a condition of an application, and returns its message.
func (w *world) condition(name, kind, status, reason string) string {
	w.Helper()
	all, err := w.read(name).Status.Conditions()
	if err != nil {
		w.Fatal(err)
	}
	c, _ := all.Find(kind)
	if c.Status != status || c.Reason != reason {
		w.Errorf("%s of %s: %+v, want %s %s", kind, name, c, status, reason)
	}
	return c.Message
}

// told counts changes.
type told struct {
	mu    sync.Mutex
	count int
}

func (t *told) Tell(_ context.Context, changes []registry.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count += len(changes)
}

func (t *told) take() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := t.count
	t.count = 0
	return count
}

// A kafka has topics, by whose they are.
type kafka struct {
	mu     sync.Mutex
	topics map[string]string
	err    map[string]error // by application
}

func (k *kafka) Ensure(_ context.Context, application, uid string, p topics.Purpose) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.err[application]; err != nil {
		return err
	}
	k.topics[p.Topic(application)] = uid
	return nil
}

func (k *kafka) Remove(_ context.Context, application, uid string, p topics.Purpose) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.err[application]; err != nil {
		return err
	}
	if k.topics[p.Topic(application)] == uid {
		delete(k.topics, p.Topic(application))
	}
	return nil
}

func (k *kafka) fail(application string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = map[string]error{}
	}
	k.err[application] = err
}

func (k *kafka) owner(topic string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.topics[topic]
}

func (w *world) change(name string, change func(*registry.Application)) {
	w.Helper()
	_, err := w.store.UpdateApplication(w.Context(), name, store.Expect{}, func(a *registry.Application) error {
		change(a)
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

func withKnative(section string) func(*registry.Application) {
	return func(a *registry.Application) {
		a.Spec = registry.Sections{registry.SectionKnative: json.RawMessage(section)}
	}
}

const soon = 50 * time.Millisecond
