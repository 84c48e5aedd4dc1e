package registryfn

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/changes"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/store/migrate"
	"github.com/fairlead/fairlead/internal/store/sqlite"
	"github.com/fairlead/fairlead/internal/user"
)

// people are who sends requests, by what they say of themselves.
type people map[string]*user.Identity

func (p people) Authenticate(r *http.Request) (*user.Identity, error) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return &user.Identity{}, nil
	}
	if identity, known := p[name]; known {
		return identity, nil
	}
	return nil, outcome.New(outcome.Unauthenticated, "")
}

func everybody() people {
	narrow := func(name string, scope user.Scope) *user.Identity {
		return &user.Identity{ID: "id-" + name, Name: name, Scope: scope, ByAccessToken: true}
	}
	return people{
		"alice":      {ID: "id-alice", Name: "alice"},
		"bob":        {ID: "id-bob", Name: "bob"},
		"carol":      {ID: "id-carol", Name: "carol"},
		"dave":       {ID: "id-dave", Name: "dave"},
		"root":       {ID: "id-root", Name: "root", Admin: true},
		"part":       {ID: "id-part", Name: "part", Service: true},
		"reading":    narrow("alice", user.Scope{Permission: user.Read}),
		"only-app-1": narrow("alice", user.Scope{Applications: []string{"app-1"}}),
	}
}

// A redis notes what is invalidated.
type redis struct {
	mu    sync.Mutex
	names []string
}

func (r *redis) Invalidate(_ context.Context, changes ...registry.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		r.names = append(r.names, c.Application+"/"+c.Device)
	}
	return nil
}

func (r *redis) heard(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.names, name)
}

// nowhere is a Kafka that is away.
type nowhere struct{}

func (nowhere) Write(_ context.Context, _ *kgo.Record, done func(error)) {
	done(outcome.New(outcome.Unavailable, ""))
}

// A world is an API with everything around it, whose answers are held against the contract.
type world struct {
	testing.TB
	store    *store.Store
	handler  *Handler
	relay    *changes.Relay
	redis    *redis
	contract *contract
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := migrate.Up(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	directory := accounts.New(s)
	for name, identity := range everybody() {
		if identity.Scope.Narrow() {
			continue
		}
		if err := directory.RememberUser(t.Context(), identity.ID, name); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{TB: t, store: s, redis: &redis{}, contract: newContract(t)}
	c := changes.DefaultConfig()
	c.MaxWaiting = 50
	w.relay = changes.New(c, s, w.redis, nowhere{}, nil)
	w.handler = New(testConfig(), Parts{
		Store: s, Users: everybody(), Directory: directory, Tokens: user.NewTokens(user.DefaultTokensConfig(), directory), Changes: w.relay,
	})
	return w
}

func testConfig() Config {
	c := DefaultConfig()
	c.Endpoints.API = "https://api.example.com/"
	c.RegistrationToken = "token for registering devices, and for nothing else"
	return c
}

// An answer is what came back.
type answer struct {
	status int
	body   string
	header http.Header
}

// as sends a request. "" is somebody who has not signed in.
func (w *world) as(who, method, path, body string, header ...string) answer {
	w.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return w.send(r, body)
}

func (w *world) send(r *http.Request, body string) answer {
	w.Helper()
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	if err := w.contract.check(r, []byte(body), recorder); err != nil {
		w.Errorf("%s %s: %d %s does not keep the contract: %v", r.Method, r.URL, recorder.Code, recorder.Body, err)
	}
	return answer{recorder.Code, recorder.Body.String(), recorder.Header()}
}

// want compares status and, unless it is "-", the body; "" is an empty one, and other bodies are JSON. A * in the wanted
// body stands for any string.
func (a answer) want(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%d %s, want %d %s", a.status, a.body, status, body)
		return
	}
	if body == "-" {
		return
	}
	if body == "" || a.body == "" {
		if a.body != body {
			t.Errorf("%d %q, want %q", a.status, a.body, body)
		}
		return
	}
	var got, want any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("%q: %v", a.body, err)
	}
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	if diff := cmp.Diff(want, got, cmp.FilterValues(func(x, y any) bool { return x == "*" || y == "*" }, cmp.Ignore())); diff != "" {
		t.Errorf("%s (-want +got):\n%s", a.body, diff)
	}
}

// ok sends a request that must succeed.
func (w *world) ok(who, method, path, body string) answer {
	w.Helper()
	a := w.as(who, method, path, body)
	if a.status >= 300 {
		w.Fatalf("%s %s as %s: %d %s", method, path, who, a.status, a.body)
	}
	return a
}

// field is a member of an answer, by its path.
func (a answer) field(t *testing.T, path ...string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatalf("%q: %v", a.body, err)
	}
	for _, name := range path {
		value = value.(map[string]any)[name]
	}
	return value
}

func (a answer) text(t *testing.T, path ...string) string {
	t.Helper()
	text, ok := a.field(t, path...).(string)
	if !ok {
		t.Fatalf("%s: no string at %v", a.body, path)
	}
	return text
}

const (
	apps    = "/api/registry/v1alpha1/apps"
	app     = apps + "/app-1"
	devices = app + "/devices"
	device  = devices + "/d"
	admin   = "/api/admin/v1alpha1/apps/app-1"

	notFoundBody   = `{"error":"NotFound","message":"Not found"}`
	deniedBody     = `{"error":"AuthenticationError","message":"Not authorized"}`
	referenceBody  = `{"error":"ReferenceNotFound","message":"Referenced a non-existing entity"}`
	badRequestBody = `{"error":"BadRequest","message":"*"}`
	conflictBody   = `{"error":"Conflict","message":"*"}`
)

// changes takes what the outbox has.
func (w *world) changes() []registry.Change {
	w.Helper()
	entries, err := w.store.Pending(w.Context(), 1000)
	if err != nil {
		w.Fatal(err)
	}
	var all []registry.Change
	for _, e := range entries {
		all = append(all, e.Change)
		if err := w.store.Sent(w.Context(), e.Seq); err != nil {
			w.Fatal(err)
		}
	}
	return all
}
