package dispatch

import (
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/triggers"
)

// Headers of the CloudEvents Kafka protocol binding (version 1.0.2, section 3.2), and the one that carries the W3C trace context.
const (
	headerPrefix      = "ce_"
	headerContentType = "content-type"
	headerTraceParent = "traceparent"

	extensionPartitionKey = "partitionkey"
	// What the Kafka dispatcher adds to every event before it filters.
	extensionPartition = "knativekafkapartition"
	extensionOffset    = "knativekafkaoffset"
)

const (
	structuredJSON = "application/cloudevents+json"
	cloudEvents    = "application/cloudevents"
)

// Decode reads the CloudEvent of a Kafka record in binary or structured mode, as the Kafka dispatcher does. A record that
// is not a valid CloudEvent is an error, whose text holds no value of the record.
func Decode(record *kgo.Record) (*triggers.Event, error) {
	m := message{body: record.Value}
	for _, h := range record.Headers {
		name, isAttribute := strings.CutPrefix(h.Key, headerPrefix)
		switch {
		case h.Key == headerContentType:
			m.contentType = string(h.Value)
			name = "datacontenttype"
		case !isAttribute || name == "":
			continue
		case name == "specversion":
			m.version = string(h.Value)
			continue
		}
		if h.Value == nil {
			return nil, errors.New("a header has no value")
		}
		m.add(strings.ToLower(name), string(h.Value))
	}
	event, err := m.event()
	if err != nil {
		return nil, err
	}
	if err := event.SetExtension(extensionPartition, record.Partition); err != nil {
		return nil, err
	}
	return event, event.SetExtension(extensionOffset, record.Offset)
}

// A message is what a record or an HTTP response says of an event.
type message struct {
	contentType string
	version     string
	attributes  [][2]string // names and texts; a later one replaces an earlier one
	body        []byte
}

func (m *message) add(name, text string) { m.attributes = append(m.attributes, [2]string{name, text}) }

func (m *message) event() (*triggers.Event, error) {
	if mediaType, _, _ := strings.Cut(m.contentType, ";"); mediaType == structuredJSON {
		return triggers.EventFromJSON(m.body)
	}
	if strings.HasPrefix(m.contentType, cloudEvents) {
		return nil, errors.New("neither in binary mode nor one event as JSON")
	}
	if m.version == "" {
		return nil, errors.New("no specversion")
	}
	event, err := triggers.NewEvent(m.version)
	if err != nil {
		return nil, err
	}
	for _, attribute := range m.attributes {
		if attribute[0] == "specversion" {
			continue
		}
		if err := event.Set(attribute[0], attribute[1]); err != nil {
			return nil, err
		}
	}
	if len(m.body) > 0 {
		event.SetData(m.body)
	}
	return event, event.Validate()
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
func encode(topic string, event *triggers.Event) *kgo.Record {
	record := &kgo.Record{Topic: topic, Value: event.Data()}
	add := func(name, value string) {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add(headerPrefix+"specversion", event.SpecVersion())
	event.Attributes(func(name, text string) {
		switch name {
		case "datacontenttype":
			add(headerContentType, text)
			return
		case extensionPartitionKey:
			record.Key = []byte(text)
		}
		add(headerPrefix+name, text)
	})
	return record
}
