package stream

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are the numbers of all consumers together: no label names a topic or a group, since that would name a tenant.
type metrics struct {
	records         metric.Int64Counter
	failures        metric.Int64Counter
	losses          metric.Int64Counter
	done, abandoned metric.MeasurementOption
}

func newMetrics() (*metrics, error) {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/stream")
	records, err := meter.Int64Counter("fairlead.stream.records",
		metric.WithDescription("Records that were handed out, by how they were settled"), metric.WithUnit("{record}"))
	if err != nil {
		return nil, fmt.Errorf("metric of records: %w", err)
	}
	failures, err := meter.Int64Counter("fairlead.stream.failures",
		metric.WithDescription("What Kafka did not do, by operation: fetches and last commits"), metric.WithUnit("{failure}"))
	if err != nil {
		return nil, fmt.Errorf("metric of failures: %w", err)
	}
	losses, err := meter.Int64Counter("fairlead.stream.lost",
		metric.WithDescription("Records that a reader without a group was too slow for"), metric.WithUnit("{record}"))
	if err != nil {
		return nil, fmt.Errorf("metric of lost records: %w", err)
	}
	result := func(name string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("result", name)))
	}
	return &metrics{records, failures, losses, result("done"), result("abandoned")}, nil
}

func (m *metrics) settledAs(result metric.MeasurementOption, n int) {
	m.records.Add(context.Background(), int64(n), result)
}

func (m *metrics) failed(ctx context.Context, operation string) {
	m.failures.Add(ctx, 1, metric.WithAttributes(attribute.String("operation", operation)))
}

func (m *metrics) lost(n int) { m.losses.Add(context.Background(), int64(n)) }
