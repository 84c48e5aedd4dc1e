package push

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count what Triggers were answered. Applications are not among the labels.
type metrics struct{ deliveries metric.Int64Counter }

func newMetrics() *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/functions/push")
	m := &metrics{}
	m.deliveries, _ = meter.Int64Counter("fairlead.push.deliveries",
		metric.WithDescription("Events that Triggers handed over for an application's own endpoint, by result."))
	return m
}

func (m *metrics) answered(ctx context.Context, result string) {
	m.deliveries.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result)))
}
