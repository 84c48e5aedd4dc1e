package downlink

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count what was written.
type metrics struct{ writes metric.Int64Counter }

func newMetrics() *metrics {
	m := &metrics{}
	m.writes, _ = otel.Meter("github.com/fairlead/fairlead/internal/downlink").Int64Counter("fairlead.downlinks.written",
		metric.WithDescription("Downlink addresses of The Things Stack written to Redis: kept or failed."))
	return m
}

func (m *metrics) kept(err error) {
	result := "kept"
	if err != nil {
		result = "failed"
	}
	m.writes.Add(context.Background(), 1, metric.WithAttributes(attribute.String("result", result)))
}
