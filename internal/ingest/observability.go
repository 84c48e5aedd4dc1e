package ingest

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// labels are those of one outcome over one protocol, of which there are few.
type labels struct {
	protocol string
	outcome  outcome.Outcome
}

// options are the labels as they are handed over with each message, made once.
type options struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// pipelineMetrics count messages by protocol and outcome.
type pipelineMetrics struct {
	messages metric.Int64Counter
	duration metric.Float64Histogram
	options  map[labels]options
}

func newPipelineMetrics() *pipelineMetrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/ingest")
	m := &pipelineMetrics{options: map[labels]options{}}
	m.messages, _ = meter.Int64Counter("fairlead.messages",
		metric.WithDescription("Messages of devices, by protocol and by what became of them."))
	m.duration, _ = meter.Float64Histogram("fairlead.messages.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from a message's arrival to its outcome, for stored ones Kafka's acknowledgement, by protocol and outcome."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	for _, protocol := range refusal.Protocols() {
		for _, o := range outcome.All() {
			set := metric.WithAttributeSet(attribute.NewSet(attribute.String("protocol", protocol), attribute.String("outcome", o.String())))
			m.options[labels{protocol, o}] = options{[]metric.AddOption{set}, []metric.RecordOption{set}}
		}
	}
	return m
}

// begun is what metrics keep of a message until its outcome is known.
type begun struct {
	protocol string
	at       time.Time
}

func (m *pipelineMetrics) begin(message *Message) begun {
	at := message.Received
	if at.IsZero() {
		at = time.Now()
	}
	return begun{refusal.Protocol(message.Protocol), at}
}

func (m *pipelineMetrics) count(b begun, o outcome.Outcome) {
	with := m.options[labels{b.protocol, o}]
	m.messages.Add(context.Background(), 1, with.add...)
	m.duration.Record(context.Background(), time.Since(b.at).Seconds(), with.record...)
}
