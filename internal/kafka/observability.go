package kafka

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// producerMetrics count what became of records.
type producerMetrics struct {
	duration metric.Float64Histogram
	outcomes map[outcome.Outcome][]metric.RecordOption
}

func newProducerMetrics(waits func() int64) *producerMetrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/kafka")
	m := &producerMetrics{outcomes: map[outcome.Outcome][]metric.RecordOption{}}
	m.duration, _ = meter.Float64Histogram("fairlead.kafka.produce.duration",
		metric.WithUnit("s"), metric.WithDescription("Time from handing a record to Kafka to its answer, by outcome."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	waiting, _ := meter.Int64ObservableGauge("fairlead.kafka.produce.waiting",
		metric.WithDescription("Records that wait for Kafka's acknowledgement."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(waiting, waits())
		return nil
	}, waiting)
	for _, o := range outcome.All() {
		m.outcomes[o] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", o.String())))}
	}
	return m
}

func (m *producerMetrics) observe(started time.Time, err error) {
	m.duration.Record(context.Background(), time.Since(started).Seconds(), m.outcomes[outcome.Of(err)]...)
}
