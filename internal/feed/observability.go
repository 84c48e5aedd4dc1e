package feed

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count what is consumed. No label names an application or a user.
type metrics struct{ poison metric.Int64Counter }

func newMetrics(count func() (consumers, readers int64)) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/feed")
	m := &metrics{}
	m.poison, _ = meter.Int64Counter("fairlead.feed.skipped",
		metric.WithDescription("Records that were skipped because they are no valid event"), metric.WithUnit("{record}"))
	consumers, _ := meter.Int64ObservableUpDownCounter("fairlead.feed.consumers",
		metric.WithDescription("Subscriptions, by whether each costs Kafka a fetch of its own without a group"))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		all, readers := count()
		o.ObserveInt64(consumers, all-readers, metric.WithAttributes(attribute.Bool("reader", false)))
		o.ObserveInt64(consumers, readers, metric.WithAttributes(attribute.Bool("reader", true)))
		return nil
	}, consumers)
	return m
}

func (m *metrics) skipped() { m.poison.Add(context.Background(), 1) }
