package stream

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

func record(value string, headers ...string) *kgo.Record {
	r := &kgo.Record{Value: []byte(value)}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

func TestDecode(t *testing.T) {
	f := func(name string, r *kgo.Record, want Message, mode Mode) {
		t.Helper()
		got, err := Decode(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.Mode() != mode {
			t.Errorf("%s: mode %d, want %d", name, got.Mode(), mode)
		}
	}
	f("nothing", record("x"), Message{Data: []byte("x")}, Binary)
	f("binary", record("{}", "ce_specversion", "1.0", "ce_id", "a", "CE_no", "x", "other", "x", "ce_", "x", "ce_Upper", "U", "ce_SpecVersion", "2", "content-type", "text/plain"),
		Message{
			SpecVersion: "1.0", ContentType: "text/plain", Data: []byte("{}"),
			Attributes: []Attribute{{"id", "a"}, {"upper", "U"}, {"datacontenttype", "text/plain"}},
		}, Binary)
	f("structured", record("{}", "content-type", "application/cloudevents+json; charset=UTF-8"),
		Message{
			ContentType: "application/cloudevents+json; charset=UTF-8", Data: []byte("{}"),
			Attributes: []Attribute{{"datacontenttype", "application/cloudevents+json; charset=UTF-8"}},
		}, StructuredJSON)
	f("batch", record("[]", "content-type", "application/cloudevents-batch+json"),
		Message{
			ContentType: "application/cloudevents-batch+json", Data: []byte("[]"),
			Attributes: []Attribute{{"datacontenttype", "application/cloudevents-batch+json"}},
		}, Unsupported)
	if _, err := Decode(&kgo.Record{Headers: []kgo.RecordHeader{{Key: "ce_id"}}}); err == nil {
		t.Error("a header without a value was taken")
	}
}

func TestTraceParent(t *testing.T) {
	if got := TraceParent(record("", "ce_traceparent", "no", "TraceParent", "00-yes")); got != "00-yes" {
		t.Errorf("trace parent %q", got)
	}
	if got := TraceParent(record("")); got != "" {
		t.Errorf("trace parent %q of a record without one", got)
	}
}

// FuzzDecode holds that a message is read back from the record that Record makes of it.
func FuzzDecode(f *testing.F) {
	f.Add("1.0", "id", "a", "datacontenttype", "application/json", []byte("{}"))
	f.Add("0.3", "partitionkey", "k", "", "", []byte(nil))
	f.Add("", "SpecVersion", "2", "ce_CE_x", "v", []byte("["))
	f.Fuzz(func(t *testing.T, version, name, text, otherName, otherText string, data []byte) {
		written, err := Decode(record(string(data), "ce_specversion", version, "ce_"+name, text, otherName, otherText))
		if err != nil {
			t.Fatal(err)
		}
		read, err := Decode(written.Record(topic))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		// What says the content type twice is written with it as a header of the record.
		written.ContentType = read.ContentType
		if diff := cmp.Diff(written, read); diff != "" {
			t.Errorf("(-written +read)\n%s", diff)
		}
	})
}
