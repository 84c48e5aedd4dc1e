package devcloud

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/receiver"
	"github.com/fairlead/fairlead/test/neighbour"
)

// anywhere is a configuration on free ports.
func anywhere() Config {
	const free = "127.0.0.1:0"
	return Config{
		HTTP: free, API: free, Identity: free, Auth: free, Metrics: free, Receiver: free, DeadLetters: free,
		KafkaAddress: free, RedisAddress: free,
	}
}

func start(t *testing.T, c Config) *Dev {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, d) })
	return d
}

func stop(t *testing.T, d *Dev) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		t.Error(err)
	}
}

// events keeps what a receiver gets.
type events struct {
	mu  sync.Mutex
	all []cloudevents.Event
}

func (e *events) add(event cloudevents.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// with returns the first event with that data, once it is there.
func (e *events) with(t *testing.T, data string) (found cloudevents.Event) {
	t.Helper()
	neighbour.Eventually(t, "the event "+data, func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, event := range e.all {
			if string(event.Data()) == data {
				found = event
				return true
			}
		}
		return false
	})
	return found
}

func (e *events) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

func post(t *testing.T, url, user, password, body string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(user, password)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// subscriber is an application's endpoint, with a folder of one Trigger that names it.
func subscriber(t *testing.T) (*events, string) {
	t.Helper()
	got := &events{}
	server := httptest.NewServer(receiver.Handler(got.add))
	t.Cleanup(server.Close)
	folder := t.TempDir()
	writeTriggerTo(t, folder, server.URL)
	return got, folder
}

func writeTriggerTo(t *testing.T, folder, url string) {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: test}
spec:
  broker: example-app
  filter: {attributes: {type: io.drogue.event.v1}}
  subscriber: {uri: %q}
  delivery: {retry: 5, backoffPolicy: linear, backoffDelay: PT0.1S, timeout: PT10S}
`, url)
	write(t, filepath.Join(folder, "test.yaml"), text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFromPostToSubscriber(t *testing.T) {
	got, triggers := subscriber(t)
	c := anywhere()
	c.Triggers = triggers
	d := start(t, c)
	n := d.Note()

	if status := post(t, n.HTTP+"/v1/state", "device1@example-app", "hey-rodney", `{"n":1}`); status != 202 {
		t.Fatalf("status %d", status)
	}
	event := got.with(t, `{"n":1}`)
	if event.Subject() != "state" || event.Type() != "io.drogue.event.v1" || event.Source() != "drogue://example-app/device1" {
		t.Errorf("event %s", event)
	}
	if status := post(t, n.HTTP+"/v1/state", "device1@example-app", "wrong", `{}`); status != 403 {
		t.Errorf("a wrong password is answered with %d", status)
	}

	const uplink = `{"end_device_ids":{"device_id":"eui-0004a30b001c0530"},"uplink_message":{"f_port":7,"frm_payload":"aGVsbG8="}}`
	if status := post(t, n.TTN, "ttn-gateway@example-app", "lora", uplink); status != 202 {
		t.Fatalf("the webhook is answered with %d", status)
	}
	neighbour.Eventually(t, "the uplink", func() bool { return got.count() == 2 })

	for _, path := range []string{"/", "/health/readiness", "/health/liveness"} {
		response, err := http.Get(n.HTTP + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != 200 {
			t.Errorf("GET %s: %s", path, response.Status)
		}
	}
	response, err := http.Get(n.Metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if !strings.Contains(string(text), "fairlead_dispatch_records") {
		t.Errorf("metrics: %.300s", text)
	}
	if strings.Contains(string(text), "example-app") || strings.Contains(string(text), "device1") {
		t.Error("the metrics name a tenant or a device")
	}
}

func TestExampleTriggerPrintsWithBuiltInReceiver(t *testing.T) {
	var mu sync.Mutex
	var reports []dispatch.Report
	c := anywhere()
	c.Observe = func(r dispatch.Report) {
		if r.Result == dispatch.Filtered {
			return // by the Trigger for commands
		}
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, r)
	}
	d := start(t, c)
	n := d.Note()
	if status := post(t, n.HTTP+"/v1/telemetry", n.Example.Username, n.Example.Password, `{"t":1}`); status != 202 {
		t.Fatalf("status %d", status)
	}
	neighbour.Eventually(t, "the report", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(reports) == 1
	})
	if r := reports[0]; r.Subscription != "default/print" || r.Result != dispatch.Delivered || r.Status != 202 {
		t.Errorf("report %+v", r)
	}
}

func TestNote(t *testing.T) {
	c := anywhere()
	c.Data = filepath.Join(t.TempDir(), "data")
	d := start(t, c)
	name := filepath.Join(c.Data, NoteFile)
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var n Note
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&n); err != nil {
		t.Fatal(err)
	}
	if n.PID != os.Getpid() || n.HTTP == "" || len(n.Kafka) != 1 || n.Example.Username != "device1@example-app" {
		t.Errorf("note %+v", n)
	}
	want := `curl -u 'device1@example-app:hey-rodney' -H 'Content-Type: application/json' -d '{"temperature": 21.5}' ` + n.HTTP + `/v1/telemetry`
	if n.Example.Curl != want {
		t.Errorf("curl line %q", n.Example.Curl)
	}
	stop(t, d)
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("the note is still there: %v", err)
	}
}

func TestRestartKeepsRegistryRecordsAndOffsets(t *testing.T) {
	got, triggers := subscriber(t)
	c := anywhere()
	c.Data, c.Triggers = t.TempDir(), triggers
	first := start(t, c)
	if status := post(t, first.Note().HTTP+"/v1/a", "device1@example-app", "hey-rodney", `"one"`); status != 202 {
		t.Fatalf("status %d", status)
	}
	uid := got.with(t, `"one"`).Extensions()["deviceuid"]
	stop(t, first)

	// What is posted while the Trigger's folder is empty waits for it: its group has its place.
	c.Triggers = t.TempDir()
	second := start(t, c)
	if status := post(t, second.Note().HTTP+"/v1/a", "device1@example-app", "hey-rodney", `"two"`); status != 202 {
		t.Fatalf("status %d", status)
	}
	stop(t, second)

	c.Triggers = triggers
	start(t, c)
	if again := got.with(t, `"two"`).Extensions()["deviceuid"]; again != uid {
		t.Errorf("the device got a new uid: %v, then %v", uid, again)
	}
	if n := got.count(); n != 2 {
		t.Errorf("%d events arrived, want each of 2 once", n)
	}
}

const oneDevice = `
kind: Application
metadata: {name: example-app}
---
kind: Device
metadata: {application: example-app, name: sensor}
spec:
  core: {disabled: %v}
  authentication:
    credentials:
      - pass: it's a secret
`

func TestRegistryFileIsFollowed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registry.yaml")
	write(t, file, fmt.Sprintf(oneDevice, false))
	c := anywhere()
	c.Registry = []string{file}
	c.Triggers = t.TempDir()
	d := start(t, c)
	n := d.Note()
	if want := `-u 'sensor@example-app:it'\''s a secret'`; !strings.Contains(n.Example.Curl, want) {
		t.Errorf("curl line %q lacks %q", n.Example.Curl, want)
	}
	status := func() int { return post(t, n.HTTP+"/v1/a", "sensor@example-app", "it's a secret", `{}`) }
	if got := status(); got != 202 {
		t.Fatalf("status %d", got)
	}
	write(t, file, fmt.Sprintf(oneDevice, true))
	neighbour.Eventually(t, "the refusal of the disabled device", func() bool { return status() == 403 })
	write(t, file, "kind: [broken")
	write(t, file, fmt.Sprintf(oneDevice, false))
	neighbour.Eventually(t, "the device to be back", func() bool { return status() == 202 })
	write(t, file, "kind: Application\nmetadata: {name: example-app}\n")
	neighbour.Eventually(t, "the refusal of the removed device", func() bool { return status() == 403 })
}

func TestTriggerFolderIsFollowed(t *testing.T) {
	got, triggers := subscriber(t)
	var log lines
	c := anywhere()
	c.Triggers, c.Logger = triggers, slog.New(slog.NewTextHandler(&log, nil))
	d := start(t, c)
	other := &events{}
	server := httptest.NewServer(receiver.Handler(other.add))
	defer server.Close()

	write(t, filepath.Join(triggers, "test.yaml"), "kind: [broken")
	neighbour.Eventually(t, "the complaint", func() bool { return strings.Contains(log.String(), "stays in force") })
	send := func(body string) {
		t.Helper()
		if status := post(t, d.Note().HTTP+"/v1/a", "device1@example-app", "hey-rodney", body); status != 202 {
			t.Fatalf("status %d", status)
		}
	}
	send(`"one"`)
	got.with(t, `"one"`)
	writeTriggerTo(t, triggers, server.URL)
	neighbour.Eventually(t, "the change", func() bool { return strings.Count(log.String(), "read the Triggers again") == 2 })
	send(`"two"`)
	other.with(t, `"two"`)
}

// lines is a writer that may be read at any time.
type lines struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

func TestStartSaysWhatToChange(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := func(name string, change func(*Config), want string) {
		t.Helper()
		c := anywhere()
		change(&c)
		d, err := Start(t.Context(), c)
		if err == nil {
			stop(t, d)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells a password: %v", name, err)
		}
	}
	address := taken.Addr().String()
	f("HTTP port", func(c *Config) { c.HTTP = address }, "another address with --http")
	f("receiver port", func(c *Config) { c.Receiver = address }, "another address with --receiver")
	f("Kafka port", func(c *Config) { c.KafkaAddress = address }, address)
	f("registry", func(c *Config) { c.Registry = []string{"no-such-file.yaml"} }, "no-such-file.yaml")
	f("triggers", func(c *Config) { c.Triggers = "no-such-folder" }, "--triggers")
	f("database", func(c *Config) { c.Database = "mysql://user:secret@host/db" }, "postgres://")
	f("Kafka", func(c *Config) { c.Kafka = []string{"127.0.0.1:1"} }, "no Kafka broker answers at 127.0.0.1:1")
	f("Redis", func(c *Config) { c.Redis = "redis://:secret@127.0.0.1:1/0" }, "no Redis answers at 127.0.0.1:1")
	f("Redis URL", func(c *Config) { c.Redis = "http://:secret@h" }, "--cache-url is not of the form")
}

func TestCloseEndsEverything(t *testing.T) {
	c := anywhere()
	d := start(t, c)
	n := d.Note()
	stop(t, d)
	for _, address := range append([]string{n.HTTP, n.Auth, n.Metrics, n.Receiver, n.DeadLetters, n.Redis}, n.Kafka...) {
		address = strings.TrimSuffix(address, "/0")
		address = address[strings.LastIndexAny(address, "/@")+1:]
		if connection, err := net.Dial("tcp", address); err == nil {
			connection.Close()
			t.Errorf("something still listens on %s", address)
		}
	}
	if _, err := os.Stat(n.Data); !os.IsNotExist(err) {
		t.Errorf("the temporary folder is still there: %v", err)
	}
}

// TestAuthenticationIsForThoseWhoKnowTheToken has a program on this machine, and a web page, ask for what lets devices in.
func TestAuthenticationIsForThoseWhoKnowTheToken(t *testing.T) {
	n := start(t, anywhere()).Note()
	f := func(token, host string, want int) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.Auth+auth.PathKeys, strings.NewReader(`{"application":"example-app","device":"device1"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		if host != "" {
			request.Host = host
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("token %q, host %q: %s", token, host, response.Status)
		}
	}
	f("", "", http.StatusUnauthorized)
	f("guess", "", http.StatusForbidden)
	f(n.AuthToken, "", http.StatusOK)
	f(n.AuthToken, "evil.example", http.StatusMisdirectedRequest)
	if info, err := os.Stat(filepath.Join(n.Data, NoteFile)); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the note, which has the token, is open to others: %v, %v", info, err)
	}
}
