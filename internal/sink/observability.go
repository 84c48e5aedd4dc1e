package sink

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// metrics count what became of events.
type metrics struct {
	duration metric.Float64Histogram
	retries  metric.Int64Counter
	outcomes map[outcome.Outcome]metric.MeasurementOption
}

func newMetrics(waiting func() int64) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/sink")
	m := &metrics{outcomes: map[outcome.Outcome]metric.MeasurementOption{}}
	m.duration, _ = meter.Float64Histogram("fairlead.sink.duration",
		metric.WithUnit("s"), metric.WithDescription("Time from handing an event to the sink to its answer, with all attempts, by outcome."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	m.retries, _ = meter.Int64Counter("fairlead.sink.retries", metric.WithDescription("Attempts beyond the first."))
	gauge, _ := meter.Int64ObservableGauge("fairlead.sink.waiting", metric.WithDescription("Events that wait for the sink's acknowledgement."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(gauge, waiting())
		return nil
	}, gauge)
	for _, o := range outcome.All() {
		m.outcomes[o] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", o.String())))
	}
	return m
}

func (m *metrics) observe(started time.Time, err error) {
	m.duration.Record(context.Background(), time.Since(started).Seconds(), m.outcomes[outcome.Of(err)])
}

func (m *metrics) again() { m.retries.Add(context.Background(), 1) }
