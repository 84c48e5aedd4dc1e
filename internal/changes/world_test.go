package changes

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/sqlite"
)

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := migrate.Up(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes a device with some content; "" is the application itself.
func put(t *testing.T, s *store.Store, device string, content int) []registry.Change {
	t.Helper()
	spec := registry.Sections{"a": json.RawMessage(fmt.Sprint(content)), "b": json.RawMessage(fmt.Sprint(content))}
	var changes []registry.Change
	var err error
	if device == "" {
		changes, err = s.ApplyApplication(t.Context(), &registry.Application{Metadata: registry.Metadata{Name: "app"}, Spec: spec})
	} else {
		changes, err = s.ApplyDevice(t.Context(), &registry.Device{Metadata: registry.Metadata{Name: device, Application: "app"}, Spec: spec})
	}
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// A kafka notes what is written. Every record is acknowledged on a goroutine of its own, with what fail says.
type kafka struct {
	mu      sync.Mutex
	written []string // key, id
	ids     map[string]bool
	open    map[string]bool // keys with a record that is not acknowledged
	overlap bool            // two records of one key were under way at once
	fail    func(id string) error
	hold    chan struct{} // acknowledgements wait until it is closed, if there is one
	arrived chan struct{} // gets one for each record, if there is room
}

func newKafka() *kafka {
	return &kafka{ids: map[string]bool{}, open: map[string]bool{}, arrived: make(chan struct{}, 1000)}
}

func (k *kafka) Write(_ context.Context, r *kgo.Record, done func(error)) {
	key := string(r.Key)
	id := ""
	for _, h := range r.Headers {
		if h.Key == "ce_id" {
			id = string(h.Value)
		}
	}
	k.mu.Lock()
	k.overlap = k.overlap || k.open[key]
	k.open[key] = true
	var err error
	if k.fail != nil {
		err = k.fail(id)
	}
	hold := k.hold
	k.mu.Unlock()
	k.arrived <- struct{}{}
	go func() {
		if hold != nil {
			<-hold
		}
		k.mu.Lock()
		delete(k.open, key)
		if err == nil {
			k.written = append(k.written, key+" "+id)
			k.ids[id] = true
		}
		k.mu.Unlock()
		done(err)
	}()
}

// log is what was written of one key: its ids without the uid.
func (k *kafka) log(key string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var ids []string
	for _, line := range k.written {
		of, id, _ := strings.Cut(line, " ")
		if of == key {
			ids = append(ids, id[len("00000000-0000-0000-0000-000000000000-"):])
		}
	}
	return ids
}

func (k *kafka) set(fail func(string) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = fail
}

// A redis notes what is invalidated.
type redis struct {
	mu    sync.Mutex
	count map[string]int
	err   error
}

func (r *redis) Invalidate(_ context.Context, changes ...registry.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	for _, c := range changes {
		r.count[fmt.Sprintf("%s/%s %d", c.Application, c.Device, c.Revision)]++
	}
	return nil
}

func (r *redis) set(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *redis) heard(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count[what]
}

type world struct {
	*testing.T
	store *store.Store
	redis *redis
	kafka *kafka
	relay *Relay
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{T: t, store: open(t, filepath.Join(t.TempDir(), "registry.db")), redis: &redis{count: map[string]int{}}, kafka: newKafka()}
	c := DefaultConfig()
	c.Interval = 10 * time.Millisecond
	if change != nil {
		change(&c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	w.relay = New(c, w.store, w.redis, w.kafka, nil)
	return w
}

// run runs the relay until the test ends.
func (w *world) run() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.relay.Run(ctx)
	}()
	w.Cleanup(func() {
		stop()
		<-done
	})
}

func (w *world) left() int {
	w.Helper()
	n, err := w.store.Waiting(w.Context(), 1000)
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func (w *world) eventually(what string, ok func() bool) {
	w.Helper()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-deadline:
			w.Fatalf("waited in vain for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (w *world) want(key string, ids ...string) {
	w.Helper()
	if got := w.kafka.log(key); !slices.Equal(got, ids) {
		w.Errorf("%s: %q, want %q", key, got, ids)
	}
	if w.kafka.overlap {
		w.Error("two events of one resource were under way at once")
	}
}
