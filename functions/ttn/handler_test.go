package ttn

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// log-in of the gateway in these tests.
const (
	gatewayName     = "ttn-gateway"
	gatewayPassword = "lora"
)

// A fakeRegistry admits ttn-gateway@app with the password "lora", for itself and for its devices.
type fakeRegistry struct {
	auth.Authenticator // the other operations are never called
	devices            map[string]registry.Sections
	err                error
	asked              []auth.Request
}

func (f *fakeRegistry) Authenticate(_ context.Context, request auth.Request) (*auth.Session, error) {
	f.asked = append(f.asked, request)
	if f.err != nil {
		return nil, f.err
	}
	refusal := outcome.New(outcome.Unauthenticated, "")
	if request.Application != "app" || request.Device != gatewayName || request.Credential != auth.Credential(auth.Password(gatewayPassword)) {
		return nil, refusal
	}
	spec, ok := f.devices[request.As]
	if !ok {
		return nil, refusal
	}
	session := &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "app", UID: "uid-app"}},
		Device:      device(gatewayName, f.devices[gatewayName]),
	}
	if request.As != gatewayName {
		session.As = device(request.As, spec)
	}
	return session, nil
}

func device(name string, spec registry.Sections) *registry.Device {
	return &registry.Device{Metadata: registry.Metadata{Application: "app", Name: name, UID: "uid-" + name}, Spec: spec}
}

func sections(pairs ...string) registry.Sections {
	s := registry.Sections{}
	for i := 0; i < len(pairs); i += 2 {
		s[pairs[i]] = json.RawMessage(pairs[i+1])
	}
	return s
}

// A fakeWriter keeps records, or fails.
type fakeWriter struct {
	err     error
	records []*kgo.Record
}

var _ ingest.Writer = (*fakeWriter)(nil)

func (f *fakeWriter) Write(_ context.Context, record *kgo.Record, done func(error)) {
	if f.err == nil {
		f.records = append(f.records, record)
	}
	done(f.err)
}

// A bench is a handler between a fake registry and a fake writer.
type bench struct {
	registry *fakeRegistry
	writer   *fakeWriter
	handler  *Handler
}

func newBench() *bench {
	b := &bench{registry: &fakeRegistry{devices: map[string]registry.Sections{
		"dev1": nil, "device-01": nil, "foo-bar": nil, "foo-device": nil, gatewayName: nil,
	}}, writer: &fakeWriter{}}
	b.handler = New(DefaultConfig(), b.registry, ingest.New(ingest.DefaultConfig(), b.writer))
	return b
}

// post sends a webhook with the gateway's log-in.
func (b *bench) post(target, body string) *http.Response {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.SetBasicAuth(gatewayName+"@app", gatewayPassword)
	return b.do(r)
}

func (b *bench) do(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w.Result()
}

// stored is the only record, as attributes and data.
func (b *bench) stored(t *testing.T) (map[string]string, string) {
	t.Helper()
	if len(b.writer.records) != 1 {
		t.Fatalf("%d records, want one", len(b.writer.records))
	}
	attributes := map[string]string{"topic": b.writer.records[0].Topic}
	for _, h := range b.writer.records[0].Headers {
		attributes[strings.TrimPrefix(h.Key, "ce_")] = string(h.Value)
	}
	return attributes, string(b.writer.records[0].Value)
}

func expectStatus(t *testing.T, response *http.Response, want int) {
	t.Helper()
	if response.StatusCode != want {
		body, _ := io.ReadAll(response.Body)
		t.Fatalf("status %d %s, want %d", response.StatusCode, body, want)
	}
}

func TestEvent(t *testing.T) {
	b := newBench()
	response := b.post("/ttn/v3", string(sample(t, "v3-uplink_message-drogue-2")))
	expectStatus(t, response, http.StatusAccepted)
	if body, _ := io.ReadAll(response.Body); len(body) != 0 {
		t.Errorf("body %q, want none", body)
	}
	got, data := b.stored(t)
	delete(got, "id")
	delete(got, "time")
	want := map[string]string{
		"topic":          "events-app",
		"specversion":    "1.0",
		"type":           "io.drogue.event.v1",
		"source":         "drogue://app/foo%2Dbar",
		"subject":        "1",
		"content-type":   "application/json",
		"instance":       "drogue",
		"application":    "app",
		"applicationuid": "uid-app",
		"device":         "foo-bar",
		"deviceuid":      "uid-foo-bar",
		"sender":         "ttn-gateway",
		"senderuid":      "uid-ttn-gateway",
		"partitionkey":   "app/ttn%2Dgateway",
		"lorawanport":    "1",
		"hwaddr":         "01234567",
		"lorawandeveui":  "0123456789ABCDEF",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if !json.Valid([]byte(data)) || strings.Contains(data, "\n") || !strings.Contains(data, `"frm_payload":"UGluZw=="`) {
		t.Errorf("data is not the compact body: %s", data)
	}
}

func TestEventOfOtherKind(t *testing.T) {
	b := newBench()
	// The options for payloads concern uplinks only.
	b.registry.devices["dev1"] = sections("ttn", `{"payload":"raw"}`, "lorawan", `{"ports":{"15":{"data_schema":"urn:x"},"0":{"data_schema":"urn:y"}}}`)
	expectStatus(t, b.post("/ttn/v3", string(sample(t, "v3-downlink_ack-stack-made"))), http.StatusAccepted)
	got, data := b.stored(t)
	if got["type"] != "io.drogue.lorawan.v1" || got["subject"] != "downlink/ack" || got["lorawanport"] != "15" || got["content-type"] != "application/json" {
		t.Errorf("attributes %v", got)
	}
	if _, ok := got["dataschema"]; ok || !strings.Contains(data, `"downlink_ack":{`) {
		t.Errorf("schema %q, data %s", got["dataschema"], data)
	}
}

func TestPaths(t *testing.T) {
	v2, v3 := string(sample(t, "v2-uplink-drogue-1")), string(sample(t, "v3-join_accept-drogue-1"))
	f := func(path, body string, want int) {
		t.Helper()
		b := newBench()
		expectStatus(t, b.post(path, body), want)
		if stored := len(b.writer.records) == 1; stored != (want == http.StatusAccepted) {
			t.Errorf("%s: stored %v", path, stored)
		}
	}
	f("/ttn/v3", v3, 202)
	f("/ttn/v3/", v3, 202)
	f("/ttn/v2", v2, 202)
	f("/ttn/v2/", v2, 202)
	f("/ttn/", v2, 202)
	f("/ttn/", v3, 400)
	f("/ttn/v3", v2, 400)
	f("/ttn", v2, 404)
	f("/ttn/v4", v3, 404)
	f("/ttn/v3/up", v3, 404)
	f("/", v3, 404)

	response := newBench().do(httptest.NewRequest(http.MethodGet, "/ttn/v3", nil))
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != http.MethodPost {
		t.Errorf("GET: %d, Allow %q", response.StatusCode, response.Header.Get("Allow"))
	}
}

func TestPayload(t *testing.T) {
	f := func(path, name, as, payload, contentType, data string) {
		t.Helper()
		b := newBench()
		b.registry.devices[as] = sections("ttn", `{"payload":"`+payload+`","dev_eui":"0"}`)
		expectStatus(t, b.post(path, string(sample(t, name))), http.StatusAccepted)
		got, value := b.stored(t)
		if got["content-type"] != contentType || value != data {
			t.Errorf("%s %s: %s %q, want %s %q", name, payload, got["content-type"], value, contentType, data)
		}
	}
	f("/ttn/v3", "v3-uplink_message-docs-formats-1", "dev1", "raw", "application/octet-stream", "\x82\x41\xde")
	f("/ttn/v3", "v3-uplink_message-empty-payload-stack-made", "dev1", "raw", "application/octet-stream", "")
	f("/ttn/v3", "v3-uplink_message-docs-formats-1", "dev1", "fields", "application/json", `{"temperature":1.0,"luminosity":0.64}`)
	f("/ttn/v3", "v3-uplink_message-empty-payload-stack-made", "dev1", "fields", "application/json", `null`)
	f("/ttn/v3", "v3-uplink_message-stack-formatter-1", "foo-device", "RAW", "application/json",
		`{"end_device_ids":{"device_id":"foo-device","application_ids":{"application_id":"foo-app"}},"uplink_message":{"session_key_id":"ESIzRA==","f_port":42,"f_cnt":42,"frm_payload":"AQID","decoded_payload":{"test_key":42}}}`)
	f("/ttn/v3", "v3-uplink_normalized-stack-made", "dev1", "raw", "application/octet-stream", "\x01\x02\x03")
	f("/ttn/v3", "v3-uplink_normalized-stack-made", "dev1", "fields", "application/json", `{"air":{"relativeHumidity":44,"temperature":21.5},"time":"2024-10-24T09:30:00Z"}`)
	f("/ttn/v2", "v2-uplink-drogue-1", "device-01", "raw", "application/octet-stream", "\x15\x65\x00\x05")
	f("/ttn/v2", "v2-uplink-drogue-1", "device-01", "fields", "application/json", `{"luminosity_21":5}`)
}

func TestDataSchema(t *testing.T) {
	const ports = `{"ports":{"0":{"data_schema":"https://example.com/0"},"1":{"data_schema":"https://example.com/1"},"42":{"data_schema":"mod5"}}}`
	f := func(target, name, as, want string) {
		t.Helper()
		b := newBench()
		b.registry.devices[as] = sections("lorawan", ports)
		expectStatus(t, b.post(target, string(sample(t, name))), http.StatusAccepted)
		if got, _ := b.stored(t); got["dataschema"] != want {
			t.Errorf("%s %s: %q, want %q", target, name, got["dataschema"], want)
		}
	}
	f("/ttn/v3", "v3-uplink_message-docs-formats-1", "dev1", "https://example.com/0")
	f("/ttn/v3", "v3-uplink_message-drogue-2", "foo-bar", "https://example.com/1")
	f("/ttn/v3?data_schema=urn%3Ax", "v3-uplink_message-drogue-2", "foo-bar", "urn:x")
	f("/ttn/v3", "v3-uplink_message-stack-formatter-1", "foo-device", "") // what is declared is no absolute URI
	f("/ttn/v3", "v3-uplink_message-drogue-2", gatewayName, "")           // the gateway's ports do not count
	f("/ttn/v3", "v3-uplink_normalized-stack-made", "dev1", "")
	f("/ttn/v3", "v3-join_accept-drogue-1", "dev1", "")
	f("/ttn/v3?data_schema=urn%3Ajoin", "v3-join_accept-drogue-1", "dev1", "urn:join")
	f("/ttn/v2", "v2-uplink-drogue-1", "device-01", "https://example.com/1")

	// The gateway itself is the device: its own declarations count.
	b := newBench()
	b.registry.devices[gatewayName] = sections("lorawan", ports)
	expectStatus(t, b.post("/ttn/v3", `{"end_device_ids":{"device_id":"ttn-gateway"},"uplink_message":{"f_port":1}}`), http.StatusAccepted)
	got, _ := b.stored(t)
	if got["dataschema"] != "https://example.com/1" || got["device"] != gatewayName || got["sender"] != gatewayName {
		t.Errorf("attributes %v", got)
	}
}

func TestLogin(t *testing.T) {
	f := func(target, authorization string, want auth.Request) {
		t.Helper()
		b := newBench()
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(string(sample(t, "v3-join_accept-drogue-1"))))
		r.Header.Set("Authorization", authorization)
		b.do(r)
		want.Remote, want.Protocol = "192.0.2.1", "ttn"
		if diff := cmp.Diff([]auth.Request{want}, b.registry.asked); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
	const login = "Basic dHRuLWdhdGV3YXlAYXBwOmxvcmE=" // ttn-gateway@app:lora
	const plain = "Basic dHRuLWdhdGV3YXk6bG9yYQ=="     // ttn-gateway:lora
	admitted := auth.Request{Application: "app", Device: gatewayName, Credential: auth.Password(gatewayPassword), As: "dev1"}
	user := auth.UserPassword{Username: gatewayName, Password: gatewayPassword}
	f("/ttn/v3", login, admitted)
	f("/ttn/v3?application=app", plain, admitted)
	f("/ttn/v3?application=app&device=other", plain, auth.Request{Application: "app", Device: "other", Credential: user, As: "dev1"})
	f("/ttn/v3?as=somebody&ct=5&other=x", login, admitted) // none of these has a meaning here
	f("/ttn/v3", "Bearer x", auth.Request{As: "dev1"})
}

func TestErrors(t *testing.T) {
	f := func(change func(*bench), target, body string, status int, want string) {
		t.Helper()
		b := newBench()
		change(b)
		response := b.post(target, body)
		got, _ := io.ReadAll(response.Body)
		if response.StatusCode != status || string(got) != want {
			t.Errorf("%s %.60s:\n got %d %s\nwant %d %s", target, body, response.StatusCode, got, status, want)
		}
		if retry := response.Header.Get("Retry-After"); (retry != "") != (status == http.StatusServiceUnavailable) {
			t.Errorf("%d with Retry-After %q", status, retry)
		}
		if len(b.writer.records) != 0 {
			t.Errorf("%d: stored all the same", status)
		}
	}
	none := func(*bench) {}
	authenticator := func(o outcome.Outcome) func(*bench) {
		return func(b *bench) { b.registry.err = outcome.New(o, "the registry does not answer") }
	}
	writer := func(o outcome.Outcome) func(*bench) {
		return func(b *bench) { b.writer.err = outcome.New(o, "Kafka did not answer in time") }
	}
	good := string(sample(t, "v3-uplink_message-drogue-1"))

	f(none, "/ttn/v3", `{`, 400, `{"code":400,"error":"InvalidFormat","message":"Invalid data format: the body is not JSON"}`)
	f(none, "/ttn/v3", `{"end_device_ids":{"device_id":"dev1"}}`, 400, `{"code":400,"error":"InvalidRequest","message":"Invalid data: no message of a known kind in the body"}`)
	f(none, "/ttn/v3?data_schema=mod5", good, 400, `{"code":400,"error":"InvalidRequest","message":"Invalid data: data_schema is not an absolute URI"}`)
	f(none, "/ttn/v3?%zz", good, 400, `{"code":400,"error":"InvalidRequest","message":"Invalid data: the query is not URL-encoded"}`)
	f(none, "/ttn/v3", strings.Repeat(" ", 1<<18+1), 413, `{"code":413,"error":"PayloadTooLarge","message":"the body is larger than 262144 bytes"}`)
	f(none, "/ttn/v3", `{"end_device_ids":{"device_id":"stranger"},"join_accept":{}}`, 403, `{"code":403,"error":"AuthenticationError","message":"Authentication failed"}`)
	// Whatever the registry says, a body that cannot be read is the sender's fault.
	f(authenticator(outcome.Unavailable), "/ttn/v3", `[]`, 400, `{"code":400,"error":"InvalidFormat","message":"Invalid data format: the body is not an object"}`)
	f(authenticator(outcome.Forbidden), "/ttn/v3", good, 403, `{"code":403,"error":"AuthenticationError","message":"Authentication failed"}`)
	f(authenticator(outcome.Unavailable), "/ttn/v3", good, 503, `{"code":503,"error":"AuthenticationServiceError","message":"Failed to authenticate: the registry does not answer"}`)
	f(writer(outcome.Rejected), "/ttn/v3", good, 406, `{"code":406,"error":"Rejected","message":"Kafka did not answer in time"}`)
	f(writer(outcome.Overloaded), "/ttn/v3", good, 503, ``)
	f(writer(outcome.Unavailable), "/ttn/v3", good, 503, `{"code":503,"error":"ServiceUnavailable","message":"Kafka did not answer in time"}`)
}

// TestLargeWebhooks has webhooks read that are larger than a message may be, as long as what is stored of them is not.
func TestLargeWebhooks(t *testing.T) {
	f := func(payload string, size int, headers map[string]string, body func(string) string, want int, stored string) {
		t.Helper()
		b := newBench()
		if payload != "" {
			b.registry.devices["dev1"] = sections("ttn", `{"payload":"`+payload+`"}`)
		}
		webhook := `{"end_device_ids":{"device_id":"dev1"},"uplink_message":{"f_port":1,"frm_payload":"AQID","decoded_payload":{"t":1},"rx_metadata":[{"padding":"`
		webhook += strings.Repeat("x", size-len(webhook)-len(`"}]}}`)) + `"}]}}`
		r := httptest.NewRequest(http.MethodPost, "/ttn/v3", strings.NewReader(body(webhook)))
		r.SetBasicAuth(gatewayName+"@app", gatewayPassword)
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		expectStatus(t, b.do(r), want)
		if want != http.StatusAccepted {
			if len(b.writer.records) != 0 {
				t.Error("stored all the same")
			}
			return
		}
		if _, data := b.stored(t); data != stored {
			t.Errorf("stored %d bytes, want %q", len(data), stored)
		}
	}
	plain := func(body string) string { return body }
	packed := func(body string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, body) // a buffer takes everything
		_ = w.Close()
		return b.String()
	}
	f("raw", 256<<10, nil, plain, 202, "\x01\x02\x03")
	f("fields", 256<<10, nil, plain, 202, `{"t":1}`)
	f("", 256<<10, nil, plain, 413, "")
	f("", 64<<10+1, nil, plain, 413, "")
	f("raw", 256<<10+1, nil, plain, 413, "")
	f("raw", 256<<10, map[string]string{"Content-Encoding": "gzip"}, packed, 202, "\x01\x02\x03")
	f("raw", 256<<10+1, map[string]string{"Content-Encoding": "gzip"}, packed, 413, "")
	f("raw", 1000, map[string]string{"Content-Encoding": "br"}, packed, 415, "")
}

// FuzzHandler holds that no body makes the handler panic or answer with a 5xx.
func FuzzHandler(f *testing.F) {
	for _, name := range []string{"v2-uplink-drogue-1", "v3-uplink_message-drogue-2", "v3-downlink_failed-stack-made", "chirpstack4-uplink-hono-1"} {
		f.Add(string(sample(f, name)))
	}
	f.Add(`{"end_device_ids":{"device_id":"dev1"},"uplink_message":{"decoded_payload":"\u0000","f_port":1}}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{"/ttn/v2", "/ttn/v3"} {
			b := newBench()
			for _, payload := range []string{"raw", "fields", ""} {
				b.registry.devices["dev1"] = sections("ttn", `{"payload":"`+payload+`"}`)
				if response := b.post(path, body); response.StatusCode >= 500 || response.StatusCode == http.StatusNotAcceptable {
					t.Fatalf("%s answers %d", path, response.StatusCode)
				}
			}
		}
	})
}

func TestConfig(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if err := (&Config{}).Validate(); err == nil {
		t.Error("no timeout is valid")
	}
}
