package registryfn

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics measure requests. No label holds a name of the registry.
type metrics struct{ duration metric.Float64Histogram }

func newMetrics() *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/registry-fn")
	m := &metrics{}
	m.duration, _ = meter.Float64Histogram("fairlead.registry.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of a request to the registry's API, by operation and status."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30))
	return m
}

func (m *metrics) answered(operation string, status int, started time.Time) {
	m.duration.Record(context.Background(), time.Since(started).Seconds(),
		metric.WithAttributes(attribute.String("operation", operation), attribute.Int("status", status)))
}
