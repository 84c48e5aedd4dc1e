package event

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

func sample() *Event {
	return &Event{
		ID: "6f1c9a52-0b5e-4d0e-9d5f-0a6c1f6f1d11", Type: TypeMessage, Subject: "temp",
		Time:            time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.FixedZone("x", 3600)),
		DataContentType: JSON, DataSchema: "urn:x:y",
		Origin: Origin{
			Instance: "drogue", Application: "my-app", ApplicationUID: "a-uid",
			Device: "dev-1", DeviceUID: "d-uid", Sender: "gw", SenderUID: "g-uid",
		},
		Extensions: []Extension{{"lorawanport", "7"}, {"hwaddr", "26012345"}},
		Data:       []byte(`{"t":1}`),
	}
}

// read turns a record into an event with the SDK's own setters, as a consumer does.
func read(t *testing.T, r *kgo.Record) cloudevents.Event {
	t.Helper()
	e := cloudevents.New()
	for _, h := range r.Headers {
		name, value := strings.TrimPrefix(h.Key, "ce_"), string(h.Value)
		switch name {
		case "specversion":
			e.SetSpecVersion(value)
		case "id":
			e.SetID(value)
		case "type":
			e.SetType(value)
		case "source":
			e.SetSource(value)
		case "subject":
			e.SetSubject(value)
		case "dataschema":
			e.SetDataSchema(value)
		case "time":
			at, err := time.Parse(time.RFC3339Nano, value)
			if err != nil {
				t.Fatal(err)
			}
			e.SetTime(at)
		case "content-type":
			e.SetDataContentType(value)
		default:
			e.SetExtension(name, value)
		}
	}
	e.DataEncoded = r.Value
	if err := e.Validate(); err != nil {
		t.Fatalf("the record is not a valid event: %v", err)
	}
	return e
}

func TestRecordIsTheEventThatTheSDKReads(t *testing.T) {
	e := sample()
	r := e.Record("events-my-app")
	if r.Topic != "events-my-app" || string(r.Key) != "my%2Dapp/gw" || string(r.Value) != `{"t":1}` {
		t.Errorf("topic %q, key %q, value %q", r.Topic, r.Key, r.Value)
	}
	got := read(t, r)
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"specversion": "1.0", "id": e.ID, "type": TypeMessage, "source": "drogue://my-app/dev%2D1", "subject": "temp",
		"time": "2026-01-02T02:04:05.6789Z", "datacontenttype": JSON, "dataschema": "urn:x:y",
		"instance": "drogue", "application": "my-app", "applicationuid": "a-uid", "device": "dev-1", "deviceuid": "d-uid",
		"sender": "gw", "senderuid": "g-uid", "partitionkey": "my%2Dapp/gw", "lorawanport": "7", "hwaddr": "26012345",
		"data": map[string]any{"t": 1.0},
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("event differs (-want +got):\n%s", diff)
	}
}

func TestRecordAllocations(t *testing.T) {
	e := sample()
	e.Extensions = nil
	if n := testing.AllocsPerRun(100, func() { e.Record("events-my-app") }); n > 5 {
		t.Errorf("a record takes %v allocations, want at most 5: source, key, buffer, headers, record", n)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{`{"a":1,"a":2}`, `[1e400]`, `"\ud83d\ude00"`, ` {"x" : [null,true,false,-0.1E+2]} `, `{"\u0061":1,"a":2}`, "\xff", `1 2`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		kind, data, err := Normalize(JSON, body)
		if err != nil {
			if plain(body) && json.Valid(body) {
				t.Fatalf("refused valid JSON %q", body)
			}
			return
		}
		if kind != JSON || !json.Valid(data) {
			t.Fatalf("accepted %q as %q", body, data)
		}
		var before, after any
		if json.Unmarshal(body, &before) != nil || json.Unmarshal(data, &after) != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("%q became %q", body, data)
		}
		again, err := AppendJSON(nil, data)
		if err != nil || string(again) != string(data) {
			t.Fatalf("compacting twice: %q, %v", again, err)
		}
	})
}

// plain tells whether a text has nothing about which this package is stricter than encoding/json.
func plain(body []byte) bool {
	return len(body) < maxDepth && !strings.ContainsAny(string(body), `\eE`) && strings.ToValidUTF8(string(body), "") == string(body)
}
