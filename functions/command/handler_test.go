package command

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	commands "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/redis"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
	"github.com/fairlead/fairlead/test/neighbour"
)

// people are callers by the text of their Authorization.
type people struct{}

func (people) Authenticate(r *http.Request) (*user.Identity, error) {
	switch name, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); name {
	case "":
		return &user.Identity{}, nil
	case "owner", "reader", "manager", "stranger":
		return &user.Identity{ID: name, Name: name}, nil
	case "narrow":
		return &user.Identity{ID: "owner", Name: name, Scope: user.Scope{Permission: user.Read}}, nil
	case "trigger":
		return &user.Identity{ID: name, Name: name, Service: true}, nil
	case "away":
		return nil, outcome.New(outcome.Unavailable, "")
	}
	return nil, outcome.New(outcome.Unauthenticated, "")
}

// registryDocuments holds the registry's documents, by application and device.
type registryDocuments map[string]string

func (s registryDocuments) Tenant(_ context.Context, application string) (*store.Tenant, error) {
	if _, ok := s[application]; !ok {
		return nil, registry.ErrNotFound
	}
	return &store.Tenant{Application: application, Owner: "owner", Members: map[string]string{"reader": "reader", "manager": "manager"}}, nil
}

func (s registryDocuments) Application(_ context.Context, name string) (*registry.Application, error) {
	a := &registry.Application{}
	return a, s.read(name, a)
}

func (s registryDocuments) Device(_ context.Context, application, alias string) (*registry.Device, error) {
	d := &registry.Device{}
	return d, s.read(application+"/"+alias, d)
}

func (s registryDocuments) read(key string, into any) error {
	text, ok := s[key]
	switch {
	case !ok:
		return registry.ErrNotFound
	case text == "away":
		return context.DeadlineExceeded
	}
	name := key[strings.LastIndex(key, "/")+1:]
	spec, other, ok := strings.Cut(text, " named ")
	if ok {
		name = other
	}
	return json.Unmarshal(fmt.Appendf(nil, `{"metadata":{"name":%q},"spec":%s}`, name, spec), into)
}

var documents = registryDocuments{
	"app": `{}`, "off": `{"core":{"disabled":true}}`, "away": "away", "app2": `{}`,
	"app/d": `{}`, "app/alias": `{} named d`, "app/disabled": `{"core":{"disabled":true}}`, "app/enabled": `{"core":{"disabled":false}}`,
	"app/broken": `{"core":7}`, "app/away": "away", "off/d": `{}`,
	"app/behind": `{"gatewaySelector":{"matchNames":["gw1","gone","gw-off","alias","gw2","gw1","behind"]}}`,
	"app/gw1":    `{}`, "app/gw2": `{}`, "app/gw-off": `{"core":{"disabled":true}}`,
}

// A world is a handler, and a process in which devices listen.
type world struct {
	*Handler
	hub  *commands.Hub
	logs *observer.ObservedLogs
}

func newWorld(t *testing.T, change func(*Config, *Parts)) *world {
	t.Helper()
	c := redis.DefaultConfig()
	c.URL = "redis://" + miniredis.RunT(t).Addr()
	hub := commands.NewHub()
	connect(t, &c, hub)
	core, logs := observer.New(zap.InfoLevel)
	config, parts := DefaultConfig(), Parts{
		Users: people{}, Tenants: documents, Documents: documents, Router: connect(t, &c, commands.NewHub()), Log: zap.New(core),
	}
	if change != nil {
		change(&config, &parts)
	}
	return &world{New(config, parts), hub, logs}
}

func connect(t *testing.T, c *redis.Config, hub *commands.Hub) *commands.Router {
	t.Helper()
	client, err := c.ClientWithoutRetries()
	if err != nil {
		t.Fatal(err)
	}
	r := commands.NewRouter(client, c.Instance, hub, nil)
	t.Cleanup(func() { r.Close(); _ = client.Close() })
	return r
}

// listen has a device listen for everything; what arrives is in the queue.
func (w *world) listen(t *testing.T, device string) *commands.Queue {
	t.Helper()
	queue := w.hub.NewQueue(16)
	l, err := w.hub.Listen(t.Context(), commands.Filter{Application: "app", Gateway: device, Scope: commands.All, Protocol: "mqtt"}, queue.Put)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return queue
}

func (w *world) do(path, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer owner")
	if change != nil {
		change(r)
	}
	recorder := httptest.NewRecorder()
	w.ServeHTTP(recorder, r)
	return recorder
}

func as(name string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+name) }
}

const toDevice = Base + "/apps/app/devices/d?command=on"

func TestCommand(t *testing.T) {
	w := newWorld(t, nil)
	queue := w.listen(t, "d")
	got := w.do(toDevice, "now", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") })
	if got.Code != 202 || got.Body.Len() != 0 || got.Header().Get(commands.HeaderReached) != "1" {
		t.Errorf("%d %q %v", got.Code, got.Body, got.Header())
	}
	if c := <-queue.C(); c.Application != "app" || c.Gateway != "d" || c.Device != "d" || c.Name != "on" || c.ContentType != "text/plain" || string(c.Payload) != "now" {
		t.Errorf("got %+v", c)
	}
	if line := w.logs.FilterMessage("command").All(); len(line) != 1 || line[0].ContextMap()["user"] != "owner" || line[0].ContextMap()["outcome"] != "reached" {
		t.Errorf("logged %v", line)
	}
}

func TestAnswersInJSON(t *testing.T) {
	w := newWorld(t, nil)
	w.listen(t, "gw2")
	f := func(device, want string) {
		t.Helper()
		got := w.do(Base+"/apps/app/devices/"+device+"?command=on", "", func(r *http.Request) { r.Header.Set("Accept", "text/plain, Application/JSON;q=0.5") })
		if got.Code != 202 || got.Body.String() != want {
			t.Errorf("%s: %d %s, want %s", device, got.Code, got.Body, want)
		}
	}
	f("d", `{"reached":0,"targets":[{"device":"d","outcome":"unheard"}]}`)
	f("alias", `{"reached":0,"targets":[{"device":"d","outcome":"unheard"}]}`)
	f("behind", `{"reached":1,"targets":[{"device":"gw1","outcome":"unheard"},`+
		`{"device":"gw2","protocol":"mqtt","outcome":"reached","listeners":1},{"device":"behind","outcome":"unheard"}]}`)
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, nil)
	w.listen(t, "d")
	f := func(want int, path string, change func(*http.Request), text string) {
		t.Helper()
		got := w.do(path, "x", change)
		if got.Code != want || !strings.Contains(got.Body.String(), text) || text == "" && got.Body.Len() > 0 {
			t.Errorf("%s: %d %q, want %d with %q", path, got.Code, got.Body, want, text)
		}
	}
	device := func(name string) string { return Base + "/apps/app/devices/" + name + "?command=on" }
	hidden := `{"error":"NotFound","message":"Resource not found: Application / app"}`
	f(202, toDevice, as("manager"), "")
	f(404, toDevice, as("reader"), hidden)
	f(404, toDevice, as("narrow"), hidden)
	f(404, toDevice, as("stranger"), hidden)
	f(404, toDevice, func(r *http.Request) { r.Header.Del("Authorization") }, hidden)
	f(403, toDevice, as("nobody"), "Forbidden")
	f(503, toDevice, as("away"), "Internal")
	f(404, Base+"/apps/none/devices/d?command=on", nil, "Resource not found: Application / none")
	f(406, device("none"), nil, "")
	f(406, device("none"), func(r *http.Request) { r.Header.Set("Accept", "application/json") }, "there is no such device")
	f(406, device("disabled"), nil, "")
	f(406, device("broken"), nil, "")
	f(406, Base+"/apps/off/devices/d?command=on", nil, "")
	f(202, device("enabled"), nil, "")
	f(503, device("away"), nil, "the registry cannot be reached")
	f(503, Base+"/apps/away/devices/d?command=on", nil, "the registry cannot be reached")
	f(400, Base+"/apps/app/devices/d", nil, "parameter command")
	f(400, device("d")+"&command=off", nil, "parameter command")
	f(400, Base+"/apps/app/devices/d?command=", nil, "no name")
	f(400, Base+"/apps/app/devices/d?command=a/%23", nil, "wildcard")
	f(400, Base+"/apps/app/devices/d?command=%2B", nil, "wildcard")
	f(400, Base+"/apps/app/devices/d?command=%FF", nil, "not text")
	f(400, device("d")+"&timeout=-1", nil, "timeout")
	f(400, device("d")+"&timeout=soon", nil, "timeout")
	f(400, device("d"), func(r *http.Request) { r.Header["Content-Type"] = []string{"a/b", "c/d"} }, "Content-Type")
	f(400, device("d"), func(r *http.Request) { r.Header.Set("Content-Type", "x") }, "media type")
	f(413, device("d"), func(r *http.Request) {
		*r = *httptest.NewRequest("POST", device("d"), strings.NewReader(strings.Repeat("x", 64<<10+1)))
		as("owner")(r)
	}, "larger")
	f(415, device("d"), func(r *http.Request) { r.Header.Set("Content-Encoding", "zip") }, "coding")
	f(405, device("d"), func(r *http.Request) { r.Method = "GET" }, "")
	f(404, "/api/command/v1alpha1/apps/app/d", nil, "")
	f(404, "/api/command/v1alpha1/apps/app/devices/d/more?command=on", nil, "")
	f(404, "/api/command/v1alpha1/apps/app/devices/?command=on", nil, "")
	f(405, "/", nil, "")
}

func TestRoot(t *testing.T) {
	got := newWorld(t, nil).do("/", "", func(r *http.Request) { r.Method = "GET" })
	if got.Code != 200 || got.Body.String() != `{"success":true}` {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestReadersWhereThatIsSet(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Parts) { c.Readers = true })
	if got := w.do(toDevice, "", as("reader")); got.Code != 202 {
		t.Errorf("a reader: %d", got.Code)
	}
	if got := w.do(toDevice, "", as("stranger")); got.Code != 404 {
		t.Errorf("a stranger: %d", got.Code)
	}
}

func TestTimeoutWaitsForAListener(t *testing.T) {
	w := newWorld(t, nil)
	answered := make(chan *httptest.ResponseRecorder)
	go func() { answered <- w.do(toDevice+"&timeout=60", "x", nil) }()
	neighbour.Eventually(t, "the request to wait", func() bool { return w.waiting.Len() > 0 })
	queue := w.listen(t, "d")
	if got := <-answered; got.Code != 202 || got.Header().Get(commands.HeaderReached) != "1" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	<-queue.C()
	select {
	case c := <-queue.C():
		t.Errorf("it came twice: %+v", c)
	default:
	}
}

func TestTooManyWait(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Parts) { c.MaxWaiting = 0 })
	if got := w.do(toDevice+"&timeout=1", "x", nil); got.Code != 503 || got.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
}

func TestRedisAway(t *testing.T) {
	w := newWorld(t, func(_ *Config, p *Parts) {
		c := redis.DefaultConfig()
		c.URL, c.Timeout = "redis://127.0.0.1:1", 10*time.Millisecond
		p.Router = connect(t, &c, commands.NewHub())
	})
	if got := w.do(toDevice, "x", nil); got.Code != 503 || got.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
}

// outside has an endpoint for one gateway.
type outside struct {
	gateway string
	err     error
	got     []commands.Command
}

func (o *outside) Send(_ context.Context, _ *registry.Application, gateway *registry.Device, c commands.Command) (string, bool, error) {
	if gateway.Metadata.Name != o.gateway {
		return "", false, nil
	}
	o.got = append(o.got, c)
	return "ttnv3", true, o.err
}

func TestEndpointsOutside(t *testing.T) {
	f := func(gateway, device string, err error, status int, sentOut int) {
		t.Helper()
		o := &outside{gateway: gateway, err: err}
		w := newWorld(t, func(_ *Config, p *Parts) { p.External = o })
		queue := w.listen(t, "gw1")
		got := w.do(Base+"/apps/app/devices/"+device+"?command=on", "x", nil)
		if got.Code != status || len(o.got) != sentOut {
			t.Errorf("%s: %d, sent %v", device, got.Code, o.got)
		}
		select {
		case c := <-queue.C():
			if sentOut > 0 {
				t.Errorf("a listener got %+v, too", c)
			}
		default:
		}
	}
	f("gw2", "behind", nil, 200, 1)
	f("gw2", "behind", outcome.New(outcome.Rejected, ""), 406, 1)
	f("gw2", "behind", outcome.New(outcome.Unavailable, ""), 503, 1)
	f("d", "d", nil, 200, 1)
	f("gw-off", "behind", nil, 202, 0)
	f("gw2", "d", nil, 202, 0)
}
