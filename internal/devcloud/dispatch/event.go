package dispatch

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/triggers"
)

// What the Kafka dispatcher adds to every event before it filters.
const (
	extensionPartition = "knativekafkapartition"
	extensionOffset    = "knativekafkaoffset"
)

// Decode reads the CloudEvent of a Kafka record in binary or structured mode, as the Kafka dispatcher does. A record that
// is not a valid CloudEvent is an error, whose text holds no value of the record.
func Decode(record *kgo.Record) (*triggers.Event, error) {
	m, err := stream.Decode(record)
	if err != nil {
		return nil, err
	}
	event, err := EventOf(m)
	if err != nil {
		return nil, err
	}
	if err := event.SetExtension(extensionPartition, record.Partition); err != nil {
		return nil, err
	}
	return event, event.SetExtension(extensionOffset, record.Offset)
}

// EventOf is the event of a message, if the Kafka dispatcher takes it for one.
func EventOf(m *stream.Message) (*triggers.Event, error) {
	switch m.Mode() {
	case stream.StructuredJSON:
		return triggers.EventFromJSON(m.Data)
	case stream.Unsupported:
		return nil, errors.New("neither in binary mode nor one event as JSON")
	}
	if m.SpecVersion == "" {
		return nil, errors.New("no specversion")
	}
	event, err := triggers.NewEvent(m.SpecVersion)
	if err != nil {
		return nil, err
	}
	for _, a := range m.Attributes {
		if err := event.Set(a.Name, a.Text); err != nil {
			return nil, err
		}
	}
	if len(m.Data) > 0 {
		event.SetData(m.Data)
	}
	return event, event.Validate()
}

// Encode writes an event as a record in binary mode.
func Encode(topic string, event *triggers.Event) *kgo.Record {
	m := stream.Message{SpecVersion: event.SpecVersion(), Data: event.Data()}
	event.Attributes(m.Add)
	return m.Record(topic)
}
