package dispatch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/triggers"
)

func record(value string, headers ...string) *kgo.Record {
	r := &kgo.Record{Topic: topic, Value: []byte(value)}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

func TestDecodeRefuses(t *testing.T) {
	f := func(name string, r *kgo.Record, want string) {
		t.Helper()
		_, err := Decode(r)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", name, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes the record: %v", name, err)
		}
	}
	f("nothing", record("secret"), "specversion")
	f("unknown version", record("", "ce_specversion", "7.secret"), "unknown specversion")
	f("no id", record("", "ce_specversion", "1.0", "ce_type", "t", "ce_source", "/s"), `"id"`)
	f("bad time", record("", "ce_specversion", "1.0", "ce_id", "i", "ce_type", "t", "ce_source", "/s", "ce_time", "secret"), "time")
	f("bad extension", record("", "ce_specversion", "1.0", "ce_id", "i", "ce_type", "t", "ce_source", "/s", "ce_no-way", "secret"), "name of an extension")
	f("broken JSON", record("{secret", "content-type", "application/cloudevents+json"), "does not parse")
	f("batch", record("[]", "content-type", "application/cloudevents-batch+json"), "neither")
	f("format that nobody knows", record("secret", "content-type", "application/cloudevents+avro"), "neither")
}

// contents are all texts of an event.
func contents(event *triggers.Event) map[string]string {
	all := map[string]string{"specversion": event.SpecVersion(), "": string(event.Data())}
	event.Attributes(func(name, text string) { all[name] = text })
	return all
}

func TestEncodeIsReadBack(t *testing.T) {
	event, err := Decode(binary("a", "ce_dataschema", "https://example.com/s"))
	if err != nil {
		t.Fatal(err)
	}
	written := Encode(topic, event)
	if string(written.Key) != "app/device1" {
		t.Errorf("key %q", written.Key)
	}
	again, err := Decode(written)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents(event), contents(again)); diff != "" {
		t.Error(diff)
	}
}

func TestReplyIsBounded(t *testing.T) {
	event, err := readReply(&response{status: 200, body: []byte("x"), header: map[string][]string{"Ce-Specversion": {"1.0"}, "Ce-Id": {"x"}}})
	if err == nil {
		t.Errorf("an event without a type was taken: %v", event)
	}
	event, err = readReply(&response{status: 202})
	if event != nil || err != nil {
		t.Errorf("nothing became %v, %v", event, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("1.0", "id", "type", "/source", "2026-01-02T03:04:05Z", "application/json", "ce_ext", "v", []byte("{}"))
	f.Add("0.3", "id", "type", "/source", "", "text/plain", "ce_", "", []byte(nil))
	f.Add("", "", "", "", "", "application/cloudevents+json", "", "", []byte(`{"specversion":"1.0","id":"s","type":"t","source":"/s","data":{}}`))
	f.Add("1.0", "id", "type", "%zz", "x", "application/cloudevents", "CE_ID", "other", []byte("["))
	f.Fuzz(func(t *testing.T, version, id, kind, source, when, contentType, name, value string, data []byte) {
		r := record("", "ce_specversion", version, "ce_id", id, "ce_type", kind, "ce_source", source, "ce_time", when,
			"content-type", contentType, name, value)
		r.Value = data
		event, err := Decode(r)
		if err != nil {
			return
		}
		if err := event.Validate(); err != nil {
			t.Errorf("an invalid event came out: %v", err)
		}
		again, err := Decode(Encode(topic, event))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(contents(event), contents(again)); diff != "" {
			t.Error(diff)
		}
	})
}
