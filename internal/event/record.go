package event

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record makes the Kafka record of an event for a topic, in binary content mode: one header for each attribute, the
// data as value, the partition key as key. The record's Value is the event's Data itself.
//
// All attribute values share one buffer and all headers one slice, so that a record costs two allocations besides
// itself.
func (e *Event) Record(topic string) *kgo.Record {
	w := headerWriter{
		buffer:  make([]byte, 0, e.size()),
		headers: make([]kgo.RecordHeader, 0, 18+e.traceHeaders()+len(e.Extensions)),
	}
	w.add("ce_specversion", "1.0")
	w.add("ce_id", e.ID)
	w.add("ce_type", e.Type)
	w.addSource("ce_source", e)
	w.add("ce_subject", e.Subject)
	w.addTime("ce_time", e.Time)
	w.add("content-type", e.DataContentType)
	if e.DataSchema != "" {
		w.add("ce_dataschema", e.DataSchema)
	}
	w.add("ce_instance", e.Origin.Instance)
	w.add("ce_application", e.Origin.Application)
	w.add("ce_applicationuid", e.Origin.ApplicationUID)
	w.add("ce_device", e.Origin.Device)
	w.add("ce_deviceuid", e.Origin.DeviceUID)
	w.add("ce_sender", e.Origin.Sender)
	w.add("ce_senderuid", e.Origin.SenderUID)
	if e.TraceParent != "" {
		w.add("ce_traceparent", e.TraceParent)
		if e.TraceState != "" {
			w.add("ce_tracestate", e.TraceState)
		}
	}
	w.addPartitionKey("ce_partitionkey", &e.Origin)
	for _, x := range e.Extensions {
		w.add("ce_"+x.Name, x.Value)
	}
	return &kgo.Record{Topic: topic, Key: w.last(len(e.Extensions)), Value: e.Data, Headers: w.headers}
}

// traceHeaders is the number of headers of the trace context.
func (e *Event) traceHeaders() int {
	if e.TraceParent == "" {
		return 0
	}
	return 2
}

// size is an upper bound for the bytes of all attribute values.
func (e *Event) size() int {
	o := &e.Origin
	n := len("1.0") + len(e.ID) + len(e.Type) + max(len(e.Source), o.sourceBound()) + len(e.Subject) + len(time.RFC3339Nano) +
		len(e.DataContentType) + len(e.DataSchema) + len(o.Instance) + len(o.Application) + len(o.ApplicationUID) +
		len(o.Device) + len(o.DeviceUID) + len(o.Sender) + len(o.SenderUID) + o.partitionKeyBound() + len(e.TraceParent) + len(e.TraceState)
	for _, x := range e.Extensions {
		n += len(x.Value)
	}
	return n
}

type headerWriter struct {
	buffer  []byte
	headers []kgo.RecordHeader
}

func (w *headerWriter) add(name, value string) {
	start := len(w.buffer)
	w.buffer = append(w.buffer, value...)
	w.keep(name, start)
}

func (w *headerWriter) addTime(name string, t time.Time) {
	start := len(w.buffer)
	w.buffer = t.UTC().AppendFormat(w.buffer, time.RFC3339Nano)
	w.keep(name, start)
}

func (w *headerWriter) addSource(name string, e *Event) {
	start := len(w.buffer)
	if e.Source != "" {
		w.buffer = append(w.buffer, e.Source...)
	} else {
		w.buffer = e.Origin.appendSource(w.buffer)
	}
	w.keep(name, start)
}

func (w *headerWriter) addPartitionKey(name string, o *Origin) {
	start := len(w.buffer)
	w.buffer = o.appendPartitionKey(w.buffer)
	w.keep(name, start)
}

func (w *headerWriter) keep(name string, start int) {
	value := w.buffer[start:len(w.buffer):len(w.buffer)]
	w.headers = append(w.headers, kgo.RecordHeader{Key: name, Value: value})
}

// last is the value of the header that has n headers after it.
func (w *headerWriter) last(n int) []byte { return w.headers[len(w.headers)-1-n].Value }
