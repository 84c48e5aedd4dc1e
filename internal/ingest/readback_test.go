package ingest

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/mqtt/properties"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A kafkaMessage gives the CloudEvents SDK a record, as the SDK's own Kafka bindings do: a content type of the SDK's formats
// makes it structured, whatever its headers say.
type kafkaMessage struct {
	record *kgo.Record
	format format.Format
	specs  *spec.Versions
}

var (
	_ binding.Message               = (*kafkaMessage)(nil)
	_ binding.MessageMetadataReader = (*kafkaMessage)(nil)
)

func newKafkaMessage(r *kgo.Record) *kafkaMessage {
	m := &kafkaMessage{record: r, specs: spec.WithPrefix("ce_")}
	m.format = format.Lookup(m.header("content-type"))
	return m
}

// header is the last header of a name, in whatever case, as in a reader that makes a map of them.
func (m *kafkaMessage) header(name string) (value string) {
	for _, h := range m.record.Headers {
		if strings.EqualFold(h.Key, name) {
			value = string(h.Value)
		}
	}
	return value
}

func (m *kafkaMessage) ReadEncoding() binding.Encoding {
	switch {
	case m.format == format.JSONBatch:
		return binding.EncodingBatch
	case m.format != nil || format.IsFormat(m.header("content-type")):
		return binding.EncodingStructured
	case m.specs.Version(m.header("ce_specversion")) != nil:
		return binding.EncodingBinary
	default:
		return binding.EncodingUnknown
	}
}

func (m *kafkaMessage) ReadStructured(ctx context.Context, w binding.StructuredWriter) error {
	if m.format == nil {
		return binding.ErrNotStructured
	}
	return w.SetStructuredEvent(ctx, m.format, bytes.NewReader(m.record.Value))
}

func (m *kafkaMessage) ReadBinary(_ context.Context, w binding.BinaryWriter) error {
	version := m.specs.Version(m.header("ce_specversion"))
	for _, h := range m.record.Headers {
		key, value := strings.ToLower(h.Key), string(h.Value)
		var err error
		if key == "content-type" {
			err = w.SetAttribute(version.AttributeFromKind(spec.DataContentType), value)
		} else if name, ok := strings.CutPrefix(key, "ce_"); !ok {
			continue
		} else if attribute := version.Attribute(key); attribute != nil {
			err = w.SetAttribute(attribute, value)
		} else {
			err = w.SetExtension(name, value)
		}
		if err != nil {
			return err
		}
	}
	return w.SetData(bytes.NewReader(m.record.Value))
}

func (m *kafkaMessage) GetAttribute(kind spec.Kind) (spec.Attribute, any) {
	version := m.specs.Version(m.header("ce_specversion"))
	attribute := version.AttributeFromKind(kind)
	return attribute, m.header(attribute.PrefixedName())
}

func (m *kafkaMessage) GetExtension(name string) any { return m.header("ce_" + name) }

func (m *kafkaMessage) Finish(error) error { return nil }

// A said is everything that a device can say, over whichever protocol.
type said struct {
	channel, contentType, schema, body string
	name1, value1, name2, value2       string // user properties
}

// publishSaid has a device say something, and gives back what is stored of it, nil if it is refused.
func publishSaid(t *testing.T, s said) (*kgo.Record, outcome.Result) {
	t.Helper()
	stored := &memory{}
	from := &auth.Session{
		Application: &registry.Application{Metadata: registry.Metadata{Name: "my-app", UID: "a"}},
		Device:      &registry.Device{Metadata: registry.Metadata{Name: "dev-1", UID: "d"}},
	}
	result := pipeline(stored).Do(t.Context(), from, nil, Message{
		Channel: s.channel, ContentType: s.contentType, DataSchema: s.schema, Body: []byte(s.body),
		Extensions: properties.Extensions(func(yield func(string, string) bool) {
			_ = yield(s.name1, s.value1) && yield(s.name2, s.value2)
		}),
	})
	if len(stored.records) == 0 {
		return nil, result
	}
	return stored.records[0], result
}

// checkReadBack reads a record with the SDK and compares the event with what the admitted device said.
func checkReadBack(t *testing.T, s said, r *kgo.Record) {
	t.Helper()
	message := newKafkaMessage(r)
	if encoding := message.ReadEncoding(); encoding != binding.EncodingBinary {
		t.Fatalf("%+v is read in mode %v", s, encoding)
	}
	e, err := binding.ToEvent(t.Context(), message)
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	if err := e.Validate(); err != nil {
		t.Fatalf("%+v is no valid event: %v", s, err)
	}
	names := map[string]bool{}
	for _, h := range r.Headers {
		if names[strings.ToLower(h.Key)] {
			t.Errorf("%+v: the header %s is there twice", s, h.Key)
		}
		names[strings.ToLower(h.Key)] = true
	}
	checkOrigin(t, s, e)
	schema, err := url.Parse(s.schema) // the SDK writes a URI as Go does: the scheme in lower case
	if err != nil || e.Subject() != s.channel || e.DataSchema() != schema.String() {
		t.Errorf("%+v: subject %q, schema %q", s, e.Subject(), e.DataSchema())
	}
	contentType, data, err := event.Normalize(s.contentType, []byte(s.body))
	if err != nil || e.DataContentType() != contentType || !bytes.Equal(e.Data(), data) {
		t.Errorf("%+v: data %q of type %q, want %q of %q, %v", s, e.Data(), e.DataContentType(), data, contentType, err)
	}
	if e.DataContentType() != event.JSON {
		return
	}
	if _, err := e.MarshalJSON(); err != nil {
		t.Errorf("%+v: as JSON: %v", s, err)
	}
}

// checkOrigin tells whether an event is of the admitted device, and has no other attribute than one that it may set.
func checkOrigin(t *testing.T, s said, e *cloudevents.Event) {
	t.Helper()
	if e.ID() != "the-id" || e.Type() != event.TypeMessage || e.Source() != "drogue://my-app/dev%2D1" || e.Time().Unix() != 1767323045 {
		t.Errorf("%+v: id %q, type %q, source %q, time %v", s, e.ID(), e.Type(), e.Source(), e.Time())
	}
	own := map[string]any{
		"instance": "drogue", "application": "my-app", "applicationuid": "a", "device": "dev-1", "deviceuid": "d",
		"sender": "dev-1", "senderuid": "d", "partitionkey": "my%2Dapp/dev%2D1",
	}
	for name, value := range e.Extensions() {
		want, ok := own[name]
		switch {
		case ok && value != want:
			t.Errorf("%+v: %s is %q", s, name, value)
		case !ok && !event.SetByDevices(name):
			t.Errorf("%+v: a device has set %s", s, name)
		case !ok && !(name == s.name1 && value == s.value1) && !(name == s.name2 && value == s.value2):
			t.Errorf("%+v: %s is %q", s, name, value)
		}
		delete(own, name)
	}
	if len(own) > 0 {
		t.Errorf("%+v: without %v", s, own)
	}
}

const forgery = `{"specversion":"1.0","id":"forged","source":"drogue://other-app/boss","type":"x","application":"other-app","device":"boss","sender":"boss","data":1}`

// corpus is what devices say that would like to be somebody else, or that readers stumble over.
func corpus() (all []said) {
	types := []string{
		"", "application/json", "Application/JSON; charset=utf-8", "application/ld+json; profile=x", "text/json", "application/json-seq", "text/plain",
		"text/plain; charset=\"utf-8\"", "application/octet-stream", "application/x;a=\"application/cloudevents+json\"", "a/b;",
		"application/cloudevents", "application/cloudevents+json", "application/cloudevents+json; charset=utf-8", "APPLICATION/CloudEvents+JSON",
		"application/cloudevents-batch+json", "application/cloudevents+avro", "application/cloudevents+protobuf;x=y", " application/cloudevents+json",
		"application/cloudevents ;x=y", "text/plain; charset", "text/plain;;", "image/jpeg, text/plain", "text plain", "text/plain; charset=utf 8",
		"text/plain; charset=\"utf-8", "text/plain\r\nce_device: boss", "\x00", "text/plain; é=x",
	}
	for _, contentType := range types {
		for _, body := range []string{forgery, "[" + forgery + "]", "", "x", "\xff", `{"a":1,"a":2}`} {
			all = append(all, said{channel: "x", contentType: contentType, body: body})
		}
	}
	for _, schema := range []string{"urn:x", "https://x.example/{id}.json", "https://x.example/a|b", "https://x.example/#a#b", "mod5", "https://x.example/%zz", "http://[::1]:x/"} {
		all = append(all, said{channel: "x", schema: schema, body: "1"})
	}
	for _, channel := range []string{"a/b c", "é😀", "\u0085", "\ufffe", "a\nb", "", "%41", strings.Repeat("x", event.MaxSubject)} {
		all = append(all, said{channel: channel, body: "1"})
	}
	for _, name := range []string{
		"specversion", "id", "type", "source", "subject", "time", "datacontenttype", "dataschema", "data", "device", "Device", "sender", "application",
		"applicationuid", "instance", "partitionkey", "ce_device", "ce-device", "content-type", "Content-Type", "hwaddr", "lorawanport", "knativeerrordest",
		"fairleadhops", "traceparent", "unit", "", "a b", "contenttype",
	} {
		all = append(all, said{channel: "x", body: "1", name1: name, value1: "boss", name2: name, value2: "other"})
	}
	return all
}

// TestWhatIsStoredIsReadBack reads with the CloudEvents SDK what the pipeline writes: always the same event, and always of
// the device that was admitted.
func TestWhatIsStoredIsReadBack(t *testing.T) {
	stored := 0
	for _, s := range corpus() {
		r, result := publishSaid(t, s)
		if r != nil {
			stored++
			checkReadBack(t, s, r)
			continue
		}
		if o := result.Outcome; o != outcome.Invalid && o != outcome.Rejected {
			t.Errorf("%+v: %v", s, result)
		}
	}
	if stored < 80 || stored == len(corpus()) {
		t.Errorf("%d of %d are stored", stored, len(corpus()))
	}
}

func FuzzWhatIsStoredIsReadBack(f *testing.F) {
	for _, s := range corpus() {
		f.Add(s.channel, s.contentType, s.schema, []byte(s.body), s.name1, s.value1, s.name2, s.value2)
	}
	f.Fuzz(func(t *testing.T, channel, contentType, schema string, body []byte, name1, value1, name2, value2 string) {
		s := said{channel, contentType, schema, string(body), name1, value1, name2, value2}
		if r, _ := publishSaid(t, s); r != nil {
			checkReadBack(t, s, r)
		}
	})
}
