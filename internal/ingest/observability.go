package ingest

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// pipelineMetrics count messages by outcome.
type pipelineMetrics struct {
	messages metric.Int64Counter
	outcomes map[outcome.Outcome]metric.MeasurementOption
}

func newPipelineMetrics() *pipelineMetrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/ingest")
	m := &pipelineMetrics{outcomes: map[outcome.Outcome]metric.MeasurementOption{}}
	m.messages, _ = meter.Int64Counter("fairlead.messages",
		metric.WithDescription("Messages of devices, by what became of them."))
	for _, o := range outcome.All() {
		m.outcomes[o] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", o.String())))
	}
	return m
}

func (m *pipelineMetrics) count(o outcome.Outcome) {
	m.messages.Add(context.Background(), 1, m.outcomes[o])
}
