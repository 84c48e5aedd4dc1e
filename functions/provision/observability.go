package provision

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics measure the work on applications. No label holds a name of the registry.
type metrics struct{ duration metric.Float64Histogram }

func newMetrics() *metrics {
	m := &metrics{}
	m.duration, _ = otel.Meter("github.com/fairlead/fairlead/functions/provision").Float64Histogram("fairlead.provision.duration",
		metric.WithUnit("s"),
		metric.WithDescription("Time of the work on one application, by whether it has to be done again."),
		metric.WithExplicitBucketBoundaries(.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30))
	return m
}

// reconciled begins a measurement, which ends with the call of what it returns.
func (m *metrics) reconciled(err *error) func() {
	started := time.Now()
	return func() {
		m.duration.Record(context.Background(), time.Since(started).Seconds(), metric.WithAttributes(attribute.Bool("again", *err != nil)))
	}
}
