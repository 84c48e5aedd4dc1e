package command

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count requests by what became of their commands. Applications are not among the labels.
type metrics struct{ requests metric.Int64Counter }

func newMetrics() *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/functions/command")
	m := &metrics{}
	m.requests, _ = meter.Int64Counter("fairlead.command.requests",
		metric.WithDescription("Commands that applications and Triggers asked for, by what became of them."))
	return m
}

func (m *metrics) answered(ctx context.Context, ofTrigger bool, result string) {
	source := "api"
	if ofTrigger {
		source = "trigger"
	}
	m.requests.Add(ctx, 1, metric.WithAttributes(attribute.String("source", source), attribute.String("result", result)))
}
