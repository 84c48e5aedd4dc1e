package registryfn

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/outcome"
)

// metrics measure requests. No label holds a name of the registry.
type metrics struct {
	duration      metric.Float64Histogram
	registrations metric.Int64Counter
}

func newMetrics() *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/registry-fn")
	m := &metrics{}
	m.duration, _ = meter.Float64Histogram("fairlead.registry.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of a request to the registry's API, by operation and status."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30))
	m.registrations, _ = meter.Int64Counter("fairlead.registry.registrations",
		metric.WithDescription("Devices that connected for the first time and were to be registered, by what became of that; those that are there already are among them."))
	return m
}

// registered counts a registration.
func (m *metrics) registered(err error) {
	result := "registered"
	switch {
	case errors.Is(err, auth.ErrNotRegistered):
		result = "refused"
	case outcome.Of(err) == outcome.Overloaded:
		result = "too fast"
	case err != nil:
		result = "failed"
	}
	m.registrations.Add(context.Background(), 1, metric.WithAttributes(attribute.String("result", result)))
}

func (m *metrics) answered(operation string, status int, started time.Time) {
	m.duration.Record(context.Background(), time.Since(started).Seconds(),
		metric.WithAttributes(attribute.String("operation", operation), attribute.Int("status", status)))
}
