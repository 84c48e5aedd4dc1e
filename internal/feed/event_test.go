package feed

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/triggers"
)

// record makes a record of headers, name and value in turn, and a value.
func record(value string, headers ...string) *kgo.Record {
	r := &kgo.Record{Topic: "events-app", Value: []byte(value)}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

// valid makes a record that is an event, with further headers.
func valid(value string, headers ...string) *kgo.Record {
	return record(value, append([]string{"ce_specversion", "1.0", "ce_id", "1", "ce_type", "t", "ce_source", "/s"}, headers...)...)
}

func TestJSON(t *testing.T) {
	const begin = `{"specversion":"1.0","id":"1","type":"t","source":"/s"`
	f := func(r *kgo.Record, want string) {
		t.Helper()
		var e Event
		if err := e.Decode(r); err != nil {
			t.Fatal(err)
		}
		got := string(e.AppendJSON([]byte("x")))
		if diff := cmp.Diff("x"+want, got); diff != "" {
			t.Error(diff)
		}
		if !json.Valid([]byte(got[1:])) {
			t.Errorf("%s is no JSON", got)
		}
	}
	f(valid(""), begin+"}")
	f(valid(`{"a":1}`, "content-type", "application/json"), begin+`,"datacontenttype":"application/json","data":{"a":1}}`)
	f(valid("{\"a\":\r\n1}", "content-type", "text/json"), begin+`,"datacontenttype":"text/json","data":{"a":1}}`)
	f(valid(`{"a":`, "content-type", "application/json"), begin+`,"datacontenttype":"application/json","data_base64":"eyJhIjo="}`)
	f(valid("text", "content-type", "text/plain"), begin+`,"datacontenttype":"text/plain","data_base64":"dGV4dA=="}`)
	f(valid("\xff"), begin+`,"data_base64":"/w=="}`)
	f(valid("", "ce_subject", "a\"b\\c\n\x01ü", "ce_device", "d"), begin+`,"subject":"a\"b\\c\u000a\u0001ü","device":"d"}`)
	f(valid("", "ce_dataschema", "urn:s", "other", "x"), begin+`,"dataschema":"urn:s"}`)
	f(valid("", "ce_id", "2"), strings.Replace(begin, `"id":"1"`, `"id":"2"`, 1)+"}")
	document := begin + ",\n\"subject\":\"temp\",\"data\":[1, 2]}"
	f(record(document, "content-type", "application/cloudevents+json; charset=utf-8"), begin+`,"subject":"temp","data":[1,2]}`)
}

func TestNoEvent(t *testing.T) {
	for name, r := range map[string]*kgo.Record{
		"nothing":           record("x"),
		"unknown version":   record("", "ce_specversion", "2.0", "ce_id", "1", "ce_type", "t", "ce_source", "/s"),
		"no id":             record("", "ce_specversion", "1.0", "ce_type", "t", "ce_source", "/s"),
		"empty id":          valid("", "ce_id", ""),
		"not UTF-8":         valid("", "ce_subject", "\xff"),
		"type not UTF-8":    valid("", "content-type", "\xff"),
		"name":              valid("", "ce_a-b", "x"),
		"data as attribute": valid("", "ce_data", "x"),
		"no name":           valid("", "ce_", "x"),
		"batch":             record("[]", "content-type", "application/cloudevents-batch+json"),
		"broken document":   record("{", "content-type", "application/cloudevents+json"),
		"incomplete":        record(`{"specversion":"1.0","id":"1"}`, "content-type", "application/cloudevents+json"),
	} {
		var e Event
		if err := e.Decode(r); err == nil {
			t.Errorf("%s is an event", name)
		}
	}
}

func TestFilter(t *testing.T) {
	var e Event
	if err := e.Decode(valid("", "ce_subject", "temp", "ce_device", "d")); err != nil {
		t.Fatal(err)
	}
	for f, want := range map[Filter]bool{
		{}: true, {Channel: "temp"}: true, {Device: "d"}: true, {"temp", "d"}: true, {Channel: "te"}: false, {"temp", "e"}: false,
	} {
		if f.Matches(&e) != want {
			t.Errorf("%+v: %v", f, !want)
		}
	}
}

// Whatever a record holds, what is written of it is the event that others read.
func FuzzJSON(f *testing.F) {
	f.Add("application/json", "subject", "temp", []byte(`{"a":1}`))
	f.Add("text/plain", "x", "\"\\\n", []byte("\xff"))
	f.Add("application/json", "subject", "temp", []byte("66.6E666")) // JSON, although no float64
	f.Add("application/cloudevents+json", "x", "y", []byte(`{"specversion":"1.0","id":"1","type":"t","source":"/s","data":{"b": 2}}`))
	f.Fuzz(func(t *testing.T, contentType, name, value string, data []byte) {
		var e Event
		if e.Decode(valid(string(data), "content-type", contentType, "ce_"+name, value)) != nil {
			return
		}
		document := e.AppendJSON(nil)
		if strings.ContainsAny(string(document), "\r\n") {
			t.Fatalf("%q has more than one line", document)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(document, &members); err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		// That reader is stricter with what JSON is, with URIs and with times.
		strict := event.IsJSON(contentType) && contentType != event.JSON
		if !strict && e.structured == nil && name != "time" && name != "dataschema" && name != "source" {
			read, err := triggers.EventFromJSON(document)
			if err != nil {
				t.Fatalf("%s: %v", document, err)
			}
			if got, _ := read.Text(name); got != value {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	r := valid(`{"value":"`+strings.Repeat("x", 230)+`"}`, "content-type", "application/json", "ce_subject", "telemetry", "ce_time", "2026-11-29T08:28:03.812068683Z",
		"ce_instance", "drogue", "ce_application", "example-app", "ce_applicationuid", "43086494-c84a-4f8e-b933-3fbdae273ea9", "ce_device", "device1",
		"ce_deviceuid", "69d342f0-a6d9-4008-a112-4714ad18ee04", "ce_sender", "device1", "ce_senderuid", "69d342f0-a6d9-4008-a112-4714ad18ee04",
		"ce_partitionkey", "example%2Dapp/device1")
	var e Event
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Decode(r); err != nil {
			b.Fatal(err)
		}
		out = e.AppendJSON(out[:0])
	}
}
