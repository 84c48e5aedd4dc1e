package integration

import (
	"unsafe"

	"github.com/fairlead/fairlead/internal/feed"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// structuredType is the content type of an event in structured mode.
const structuredType = "application/cloudevents+json; charset=utf-8"

// write makes a message of an event (CloudEvents MQTT protocol binding 1.0.2). The message lies in the scratch and in the event.
func (w *scratch) write(p *packet.Publish, e *feed.Event, f topicFilter, agreed *terms, v packet.Version) {
	w.topic = f.appendTopic(w.topic[:0], e)
	p.Topic, p.QoS = text(w.topic), agreed.qos
	if agreed.binary {
		w.binary(p, e)
		return
	}
	w.payload = e.AppendJSON(w.payload[:0])
	p.Payload = w.payload
	if v == packet.V5 {
		p.ContentType, p.PayloadFormat = structuredType, 1
	}
}

// binary has each attribute as a user property, and the data as payload.
func (w *scratch) binary(p *packet.Publish, e *feed.Event) {
	w.properties = w.properties[:0].Append("specversion", e.SpecVersion)
	for i := range e.Attributes {
		a := &e.Attributes[i]
		w.properties = w.properties.Append(a.Name, text(a.Value))
	}
	p.UserProperties, p.ContentType, p.Payload = w.properties, text(e.ContentType), e.Data
}

// text is bytes as a string that lies where they do, until they change.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
