package stream

import (
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers of the CloudEvents Kafka protocol binding (version 1.0.2, section 3.2), and the one that carries the W3C trace context.
const (
	headerPrefix      = "ce_"
	headerContentType = "content-type"
	headerTraceParent = "traceparent"
)

// Names of attributes that have a place of their own in a message, or a meaning for Kafka.
const (
	specVersion  = "specversion"
	contentType  = "datacontenttype"
	partitionKey = "partitionkey" // CloudEvents extension "Partitioning"
)

const (
	structuredJSON = "application/cloudevents+json"
	cloudEvents    = "application/cloudevents"
)

// A Message is what a record, or another message of a CloudEvents binding, says of an event. Nothing of it is judged: attributes
// may be missing, and their texts and names may be any.
type Message struct {
	ContentType string      // of the message; it tells the mode
	SpecVersion string      // in binary mode; "" if there is none
	Attributes  []Attribute // in binary mode, all others; of two with the same name the later one holds
	Data        []byte      // the data in binary mode, the whole event in a structured one
}

// An Attribute is a name, in lower case, and its text.
type Attribute struct{ Name, Text string }

// A Mode is how a message holds an event.
type Mode int

// The modes.
const (
	Binary         Mode = iota // attributes apart from the data; also what holds no event
	StructuredJSON             // one document in the CloudEvents JSON format
	Unsupported                // a batch, or a format other than JSON
)

// Mode tells how the message holds its event.
func (m *Message) Mode() Mode {
	mediaType, _, _ := strings.Cut(m.ContentType, ";")
	switch {
	case mediaType == structuredJSON:
		return StructuredJSON
	case strings.HasPrefix(m.ContentType, cloudEvents):
		return Unsupported
	}
	return Binary
}

// Add adds an attribute.
func (m *Message) Add(name, text string) { m.Attributes = append(m.Attributes, Attribute{name, text}) }

// Decode reads the message of a record. The error is that of a header without a value. The message shares the record's value.
func Decode(record *kgo.Record) (*Message, error) {
	m := &Message{Data: record.Value}
	for _, h := range record.Headers {
		name, isAttribute := strings.CutPrefix(h.Key, headerPrefix)
		switch {
		case h.Key == headerContentType:
			m.ContentType = string(h.Value)
			name = contentType
		case !isAttribute || name == "":
			continue
		case name == specVersion:
			m.SpecVersion = string(h.Value)
			continue
		}
		if h.Value == nil {
			return nil, errors.New("a header has no value")
		}
		if name = strings.ToLower(name); name != specVersion { // only its exact header counts
			m.Add(name, string(h.Value))
		}
	}
	return m, nil
}

// Record is the message as a record of a topic in binary mode. Its key is the attribute partitionkey, if there is one.
func (m *Message) Record(topic string) *kgo.Record {
	record := &kgo.Record{Topic: topic, Value: m.Data, Headers: make([]kgo.RecordHeader, 0, 1+len(m.Attributes))}
	add := func(name, value string) {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add(headerPrefix+specVersion, m.SpecVersion)
	for _, a := range m.Attributes {
		switch a.Name {
		case contentType:
			add(headerContentType, a.Text)
			continue
		case partitionKey:
			record.Key = []byte(a.Text)
		}
		add(headerPrefix+a.Name, a.Text)
	}
	return record
}

// TraceParent is the W3C trace context that a record carries beside its event; "" if there is none.
func TraceParent(record *kgo.Record) string {
	for _, h := range record.Headers {
		if strings.EqualFold(h.Key, headerTraceParent) {
			return string(h.Value)
		}
	}
	return ""
}
