package changes

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// What fails, the values of the label "of".
const (
	failedStore = "store"
	failedRedis = "redis"
	failedKafka = "kafka"
)

// metrics count what the relay does. No label holds a name of the registry.
type metrics struct {
	told     metric.Int64Counter
	events   metric.Int64Counter
	failures metric.Int64Counter
	delay    metric.Float64Histogram
}

func newMetrics(waiting func() int64) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/changes")
	m := &metrics{}
	m.told, _ = meter.Int64Counter("fairlead.changes.told",
		metric.WithDescription("Changes of the registry that were told to everybody and removed from the outbox."))
	m.events, _ = meter.Int64Counter("fairlead.changes.events",
		metric.WithDescription("Events of changes that Kafka has acknowledged, repetitions included."))
	m.failures, _ = meter.Int64Counter("fairlead.changes.failures",
		metric.WithDescription("Attempts to tell changes that failed and are repeated, by what failed."))
	m.delay, _ = meter.Float64Histogram("fairlead.changes.delay", metric.WithUnit("s"),
		metric.WithDescription("Time from a change to its being told to everybody."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60, 600, 3600))
	gauge, _ := meter.Int64ObservableGauge("fairlead.changes.waiting",
		metric.WithDescription("Changes in the outbox when this process last looked, up to the limit beyond which the registry is not changed."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(gauge, waiting())
		return nil
	}, gauge)
	return m
}

func (m *metrics) failed(of string) {
	m.failures.Add(context.Background(), 1, metric.WithAttributes(attribute.String("of", of)))
}
