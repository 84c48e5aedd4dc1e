package triggers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/triggers/cesql"
)

// An Event is a CloudEvent as the Kafka dispatcher holds it. That one is stricter than the Go SDK here and more lenient
// there: an id, a source and a type may be empty, a subject that is empty is not one that is missing, and a time keeps its
// offset. Filters see it and subscribers get it.
type Event struct {
	version    string
	attributes map[string]any // string, bool, int32, int64 or time.Time
	data       []byte
}

// NewEvent is an event of a version of the specification, 1.0 or 0.3, without attributes.
func NewEvent(version string) (*Event, error) {
	if version != "1.0" && version != "0.3" {
		return nil, errors.New("unknown specversion")
	}
	return &Event{version: version, attributes: map[string]any{}}, nil
}

// SpecVersion is the version of the specification.
func (e *Event) SpecVersion() string { return e.version }

// ID is the attribute of that name.
func (e *Event) ID() string { return e.string("id") }

// Type is the attribute of that name.
func (e *Event) Type() string { return e.string("type") }

// Data is the data, nil if there is none.
func (e *Event) Data() []byte { return e.data }

// SetData replaces the data.
func (e *Event) SetData(data []byte) { e.data = data }

func (e *Event) string(name string) string {
	text, _ := e.attributes[name].(string)
	return text
}

// Clone is a copy that can be changed. It shares the data.
func (e *Event) Clone() *Event {
	copied := &Event{version: e.version, data: e.data, attributes: make(map[string]any, len(e.attributes)+4)}
	for name, value := range e.attributes {
		copied.attributes[name] = value
	}
	return copied
}

// Upgrade makes an event of version 0.3 one of version 1.0.
func (e *Event) Upgrade() {
	if e.version == "1.0" {
		return
	}
	e.version = "1.0"
	if schema, ok := e.attributes["schemaurl"]; ok {
		delete(e.attributes, "schemaurl")
		e.attributes["dataschema"] = schema
	}
}

// schema is the name of the attribute that holds the data's schema.
func (e *Event) schema() string {
	if e.version == "0.3" {
		return "schemaurl"
	}
	return "dataschema"
}

// Set sets an attribute, of the specification or an extension, from its text. The error holds nothing of the text.
func (e *Event) Set(name, text string) error {
	text = string([]rune(text)) // a byte that is not UTF-8 becomes U+FFFD
	switch name {
	case "specversion":
		return errors.New("specversion cannot be set")
	case "id", "type", "subject", "datacontenttype":
		e.attributes[name] = text
		return nil
	case "time":
		t, err := parseTime(text)
		if err != nil {
			return err
		}
		e.attributes[name] = t
		return nil
	case "datacontentencoding":
		if e.version == "0.3" { // only tells how the data is written
			return nil
		}
	case "source", e.schema():
		if !isJavaURI(text) {
			return fmt.Errorf("%s is not a URI", name)
		}
		e.attributes[name] = text
		return nil
	}
	return e.SetExtension(name, text)
}

// SetExtension sets an extension to a string, bool, int32 or int64.
func (e *Event) SetExtension(name string, value any) error {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return errors.New("the name of an extension has characters other than lower-case letters and digits")
	}
	if e.specified(name) {
		return fmt.Errorf("%s is no extension", name)
	}
	e.attributes[name] = value
	return nil
}

// specified tells whether an attribute is one of the specification's in the event's version.
func (e *Event) specified(name string) bool {
	switch name {
	case "id", "source", "type", "subject", "time", "datacontenttype", e.schema():
		return true
	}
	return false
}

// Validate tells whether the event has what every event must have.
func (e *Event) Validate() error {
	for _, name := range []string{"id", "source", "type"} {
		if _, ok := e.attributes[name]; !ok {
			return fmt.Errorf("attribute %q is missing", name)
		}
	}
	return nil
}

// Attributes calls a function for each attribute but specversion, with its text as a message carries it.
func (e *Event) Attributes(visit func(name, text string)) {
	for name, value := range e.attributes {
		visit(name, text(value))
	}
}

// Text is an attribute as a message carries it.
func (e *Event) Text(name string) (string, bool) {
	if name == "specversion" {
		return e.version, true
	}
	value, ok := e.attributes[name]
	if !ok {
		return "", false
	}
	return text(value), true
}

func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int32:
		return strconv.FormatInt(int64(v), 10)
	case int64:
		return strconv.FormatInt(v, 10)
	case time.Time:
		return date(v) + v.Format("T15:04:05") + strings.TrimRight(fraction(v), "0") + offset(v)
	}
	return ""
}

// Value is an attribute as CESQL reads it. A name of version 1.0 that version 0.3 does not have cannot be asked for.
func (e *Event) Value(name string) (v any, ok bool, err error) {
	switch name {
	case "specversion":
		return e.version, true, nil
	case "schemaurl":
		if e.version == "0.3" {
			return nil, false, nil
		}
	case "dataschema":
		if e.version == "0.3" {
			return nil, false, errors.New("an event of version 0.3 cannot be asked for dataschema")
		}
	}
	v, ok = e.attributes[name]
	switch t := v.(type) {
	case int64:
		return text(t), true, nil
	case time.Time:
		return sqlTime(t), true, nil
	}
	return v, ok, nil
}

// Has tells whether the event has an attribute.
func (e *Event) Has(name string) bool {
	_, ok := e.attributes[name]
	return ok || name == "specversion"
}

// filterText is an attribute as exact, prefix and suffix read it. Only subject and datacontenttype can be absent; other
// attributes that are not there are empty.
func (e *Event) filterText(name string) (value string, ok bool) {
	switch name {
	case "dataschema", "schemaurl":
		return e.string(e.schema()), true
	case "time":
		if t, ok := e.attributes["time"].(time.Time); ok {
			return instant(t), true
		}
		return "", true
	}
	value, ok = e.Text(name)
	return value, ok || name != "subject" && name != "datacontenttype"
}

// SDK is the event as one of the Go SDK, for those who only show it. What the SDK cannot hold is left out.
func (e *Event) SDK() event.Event {
	out := event.New(e.version)
	e.Attributes(func(name, text string) {
		switch name {
		case "id":
			out.SetID(text)
		case "type":
			out.SetType(text)
		case "source":
			out.SetSource(text)
		case "subject":
			out.SetSubject(text)
		case "datacontenttype":
			out.SetDataContentType(text)
		case e.schema():
			out.SetDataSchema(text)
		case "time":
			out.SetTime(e.attributes[name].(time.Time))
		default:
			out.SetExtension(name, text)
		}
	})
	out.DataEncoded = e.data
	return out
}

// FromSDK is an event of the Go SDK as the Kafka dispatcher would hold it after it had been through Kafka in binary mode,
// but for the types of its extensions, which stay.
func FromSDK(in event.Event) (*Event, error) {
	e, err := NewEvent(in.SpecVersion())
	if err != nil {
		return nil, err
	}
	set := func(name, text string) {
		if text != "" && err == nil {
			err = e.Set(name, text)
		}
	}
	set("id", in.ID())
	set("type", in.Type())
	set("source", in.Source())
	set("subject", in.Subject())
	set("datacontenttype", in.DataContentType())
	set(e.schema(), in.DataSchema())
	if t := in.Time(); !t.IsZero() {
		set("time", t.Format(time.RFC3339Nano))
	}
	for name, value := range in.Extensions() {
		switch value.(type) {
		case bool, int32:
			e.attributes[name] = value
		default:
			text, formatErr := types.Format(value)
			if formatErr != nil {
				return nil, fmt.Errorf("extension %q: %w", name, formatErr)
			}
			e.attributes[name] = text
		}
	}
	e.data = in.DataEncoded
	return e, err
}

// jsonType is what the Java SDK takes for JSON.
var jsonType = regexp.MustCompile(`^(application|text)/([a-zA-Z]+\+)?json(;.*)*$`)

// EventFromJSON reads an event in the JSON format.
func EventFromJSON(document []byte) (*Event, error) {
	var members map[string]json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(document)).Decode(&members); err != nil || members == nil {
		return nil, errors.New("the structured event does not parse")
	}
	r := jsonReader{members: members}
	version := r.text("specversion")
	e, err := NewEvent(version)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"id", "type", "source", "subject", "time", "datacontenttype", e.schema()} {
		if r.present(name) {
			if err := e.Set(name, r.text(name)); err != nil {
				return nil, err
			}
		}
	}
	if _, ok := e.attributes["datacontenttype"]; !ok && members["data"] != nil {
		e.attributes["datacontenttype"] = "application/json"
	}
	r.data(e)
	r.extensions(e)
	if r.err != nil {
		return nil, r.err
	}
	return e, e.Validate()
}

// A jsonReader takes the members of an event and keeps the first error.
type jsonReader struct {
	members map[string]json.RawMessage
	err     error
}

func (r *jsonReader) fail(format string, arguments ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, arguments...)
	}
}

// present tells whether a member is there and not null. One that is null is taken away.
func (r *jsonReader) present(name string) bool {
	raw, ok := r.members[name]
	if ok && string(raw) == "null" {
		delete(r.members, name)
		return false
	}
	return ok
}

// text takes a member that has to be a string.
func (r *jsonReader) text(name string) string {
	raw := r.members[name]
	delete(r.members, name)
	var text string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		r.fail("attribute %q is missing or not a string", name)
	}
	return text
}

func (r *jsonReader) data(e *Event) {
	encoded := ""
	if e.version == "0.3" && r.present("datacontentencoding") {
		encoded = r.text("datacontentencoding")
	}
	data, plain := r.members["data"]
	_, base64Data := r.members["data_base64"]
	switch {
	case plain && base64Data:
		r.fail("data and data_base64 are both there")
	case base64Data:
		e.data = r.base64("data_base64")
	case plain && encoded == "base64":
		e.data = r.base64("data")
	case plain && jsonType.MatchString(e.string("datacontenttype")):
		delete(r.members, "data")
		e.data = compacted(data)
	case plain:
		e.data = []byte(r.text("data"))
	}
}

func (r *jsonReader) base64(name string) []byte {
	data, err := base64.StdEncoding.DecodeString(r.text(name))
	if err != nil {
		r.fail("%s is not base64", name)
	}
	return data
}

func compacted(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// extensions takes what is left. Numbers have to be integers of 32 bits; what is neither number, boolean nor string
// becomes the text of its JSON.
func (r *jsonReader) extensions(e *Event) {
	for name, raw := range r.members {
		var value any
		switch raw[0] {
		case '"':
			var text string
			if err := json.Unmarshal(raw, &text); err != nil {
				r.fail("an extension does not parse")
			}
			value = text
		case 't', 'f':
			value = raw[0] == 't'
		case 'n', '{', '[':
			value = string(compacted(raw))
		default:
			i, err := strconv.ParseInt(string(raw), 10, 32)
			if err != nil {
				r.fail("an extension is a number that is no integer of 32 bits")
			}
			value = int32(i)
		}
		if e.specified(name) {
			r.fail("attribute %q is not a string", name)
			continue
		}
		if err := e.SetExtension(name, value); err != nil {
			r.fail("%w", err)
		}
	}
}

var _ cesql.Event = (*Event)(nil)
