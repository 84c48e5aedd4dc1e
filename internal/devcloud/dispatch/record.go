package dispatch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding/format"
	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers of the CloudEvents Kafka protocol binding (version 1.0.2, section 3.2), and the one that carries the W3C trace context.
const (
	headerPrefix      = "ce_"
	headerContentType = "content-type"
	headerTraceParent = "traceparent"

	extensionPartitionKey = "partitionkey"
)

// Decode reads the CloudEvent of a Kafka record in binary or structured mode. A record that is not a valid CloudEvent
// is an error, whose text holds no value of the record.
func Decode(record *kgo.Record) (cloudevents.Event, error) {
	contentType := header(record, headerContentType)
	if format.IsFormat(contentType) {
		return decodeStructured(contentType, record.Value)
	}
	return decodeBinary(contentType, record)
}

func decodeStructured(contentType string, value []byte) (cloudevents.Event, error) {
	event := cloudevents.Event{}
	reader := format.Lookup(contentType)
	if reader == nil || reader == format.JSONBatch {
		return event, errors.New("the record is neither in binary mode nor one event as JSON")
	}
	if err := reader.Unmarshal(value, &event); err != nil {
		return event, errors.New("the structured event does not parse")
	}
	return event, validate(event)
}

func decodeBinary(contentType string, record *kgo.Record) (cloudevents.Event, error) {
	version := header(record, headerPrefix+"specversion")
	if version == "" {
		return cloudevents.Event{}, errors.New("no ce_specversion header")
	}
	event := cloudevents.New(version)
	if event.Context == nil || event.SpecVersion() != version {
		return event, errors.New("unknown specversion")
	}
	if contentType != "" {
		event.SetDataContentType(contentType)
	}
	for _, h := range record.Headers {
		name, ok := strings.CutPrefix(strings.ToLower(h.Key), headerPrefix)
		if !ok {
			continue
		}
		if err := setAttribute(&event, name, string(h.Value)); err != nil {
			return event, err
		}
	}
	if record.Value != nil {
		event.DataEncoded = record.Value
	}
	return event, validate(event)
}

func setAttribute(event *cloudevents.Event, name, value string) error {
	switch name {
	case "specversion":
	case "id":
		event.SetID(value)
	case "type":
		event.SetType(value)
	case "source":
		event.SetSource(value)
	case "subject":
		event.SetSubject(value)
	case "dataschema":
		event.SetDataSchema(value)
	case "datacontenttype":
		event.SetDataContentType(value)
	case "time":
		t, err := types.ParseTime(value)
		if err != nil {
			return errors.New("time does not parse")
		}
		event.SetTime(t)
	default:
		event.SetExtension(name, value)
	}
	return nil
}

func validate(event cloudevents.Event) error {
	if err := event.Validate(); err != nil {
		var problem cloudevents.ValidationError
		if errors.As(err, &problem) {
			for attribute := range problem {
				return fmt.Errorf("attribute %q is not valid", attribute)
			}
		}
		return errors.New("the event is not valid")
	}
	return nil
}

func header(record *kgo.Record, name string) string {
	for _, h := range record.Headers {
		if strings.EqualFold(h.Key, name) {
			return string(h.Value)
		}
	}
	return ""
}

// encode writes an event as a record in binary mode. Its key is the extension partitionkey, if there is one.
func encode(topic string, event cloudevents.Event) (*kgo.Record, error) {
	record := &kgo.Record{Topic: topic, Value: event.Data()}
	add := func(name, value string) {
		if value != "" {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
	add(headerPrefix+"specversion", event.SpecVersion())
	add(headerPrefix+"id", event.ID())
	add(headerPrefix+"type", event.Type())
	add(headerPrefix+"source", event.Source())
	add(headerPrefix+"subject", event.Subject())
	add(headerPrefix+"dataschema", event.DataSchema())
	add(headerContentType, event.DataContentType())
	if t := event.Time(); !t.IsZero() {
		add(headerPrefix+"time", types.FormatTime(t))
	}
	for name, value := range event.Extensions() {
		text, err := types.Format(value)
		if err != nil {
			return nil, fmt.Errorf("extension %q: %w", name, err)
		}
		add(headerPrefix+name, text)
		if name == extensionPartitionKey {
			record.Key = []byte(text)
		}
	}
	return record, nil
}
