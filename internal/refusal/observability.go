package refusal

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count refusals. Both labels have few values.
type metrics struct{ refusals metric.Int64Counter }

func newMetrics() *metrics {
	m := &metrics{}
	m.refusals, _ = otel.Meter("github.com/fairlead/fairlead/internal/refusal").Int64Counter("fairlead.refusals",
		metric.WithDescription("Requests and messages that were refused, at whatever step, by protocol and outcome."))
	return m
}

func (m *metrics) count(r Report) {
	m.refusals.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("protocol", Protocol(r.Protocol)), attribute.String("outcome", r.Outcome.String()))))
}
