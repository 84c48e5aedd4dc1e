package provision

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
)

// A logins is the Kafka of a test, as far as users are concerned.
type logins struct {
	mu        sync.Mutex
	passwords map[string]string
	permitted map[string]bool
	away      error
}

func (l *logins) Exists(_ context.Context, application string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.passwords[application]
	return ok, l.away
}

func (l *logins) SetPassword(_ context.Context, application, password string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away == nil {
		l.passwords[application] = password
	}
	return l.away
}

func (l *logins) Permit(_ context.Context, application string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away == nil {
		l.permitted[application] = true
	}
	return l.away
}

func (l *logins) Remove(_ context.Context, application string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away == nil {
		delete(l.passwords, application)
		delete(l.permitted, application)
	}
	return l.away
}

func (w *world) kafkaUser(name string) kafkaUser {
	w.Helper()
	u, ok := kafkaUserOf(w.read(name))
	if !ok {
		w.Fatalf("the status of %s has no user: %s", name, w.read(name).Status[sectionKafka])
	}
	return u
}

func TestApplicationsHaveUsersAtKafka(t *testing.T) {
	w := newWorld(t, nil)
	l := &logins{passwords: map[string]string{}, permitted: map[string]bool{}}
	w.Users = l
	w.put("plant", "")
	w.reconcile("plant")
	first := w.kafkaUser("plant")
	if first.Username != "events-plant" || first.Mechanism != "SCRAM-SHA-512" || l.passwords["plant"] != first.Password || len(first.Password) < 20 || !l.permitted["plant"] {
		t.Fatalf("%+v, at Kafka %v", first, l.passwords)
	}
	w.condition("plant", registry.KafkaReady, registry.True, "")
	w.reconcile("plant")
	if w.kafkaUser("plant") != first {
		t.Error("the password changes by itself")
	}
	open := w.read("plant").WithoutSecrets()
	if text := string(open.Status[sectionKafka]); !json.Valid([]byte(text)) || strings.Contains(text, first.Password) {
		t.Error("a reader sees the password")
	}

	// A user that somebody deleted is made again.
	delete(l.passwords, "plant")
	w.reconcile("plant")
	if l.passwords["plant"] != first.Password {
		t.Error("the user is not repaired")
	}
	// Another password is made once for each value of the annotation.
	w.annotate("plant", "1")
	w.reconcile("plant")
	second := w.kafkaUser("plant")
	if second.Password == first.Password || l.passwords["plant"] != second.Password {
		t.Errorf("%+v, at Kafka %v", second, l.passwords)
	}
	w.reconcile("plant")
	if w.kafkaUser("plant") != second {
		t.Error("the password changes again")
	}

	l.away = errors.New("away")
	w.annotate("plant", "2")
	if err := w.Reconcile(t.Context(), "plant", ""); err == nil {
		t.Error("no error while Kafka is away")
	}
	if !w.kafkaUser("plant").Pending {
		t.Error("the status has a password that Kafka does not know")
	}
	l.away = nil
	w.reconcile("plant")
	if u := w.kafkaUser("plant"); u.Pending || u.Password == second.Password || l.passwords["plant"] != u.Password {
		t.Errorf("%+v, at Kafka %v", u, l.passwords)
	}

	if _, err := w.store.DeleteApplication(t.Context(), "plant"); err != nil {
		t.Fatal(err)
	}
	w.reconcile("plant")
	if len(l.passwords) > 0 {
		t.Errorf("left are %v", slices.Collect(maps.Keys(l.passwords)))
	}
}

func (w *world) annotate(name, value string) {
	w.Helper()
	_, err := w.store.UpdateApplication(w.Context(), name, store.Expect{}, func(a *registry.Application) error {
		a.Metadata.Annotations = map[string]string{RotateAnnotation: value}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
}
