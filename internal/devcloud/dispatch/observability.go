package dispatch

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are the numbers of all subscriptions together: no label names a Trigger, since that would name a tenant.
type metrics struct {
	records  metric.Int64Counter
	attempts metric.Float64Histogram
	replies  metric.Int64Counter
}

func newMetrics() (*metrics, error) {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/devcloud/dispatch")
	records, err := meter.Int64Counter("fairlead.dispatch.records",
		metric.WithDescription("Records that are done with, by result"), metric.WithUnit("{record}"))
	if err != nil {
		return nil, fmt.Errorf("metric of records: %w", err)
	}
	attempts, err := meter.Float64Histogram("fairlead.dispatch.attempt.duration",
		metric.WithDescription("HTTP requests to subscribers and dead letter sinks, by class of status"), metric.WithUnit("s"))
	if err != nil {
		return nil, fmt.Errorf("metric of attempts: %w", err)
	}
	replies, err := meter.Int64Counter("fairlead.dispatch.replies",
		metric.WithDescription("CloudEvents in responses, by what became of them"), metric.WithUnit("{event}"))
	if err != nil {
		return nil, fmt.Errorf("metric of replies: %w", err)
	}
	return &metrics{records, attempts, replies}, nil
}

func (m *metrics) finished(ctx context.Context, result Result) {
	m.records.Add(ctx, 1, metric.WithAttributes(attribute.String("result", string(result))))
}

func (m *metrics) attempted(ctx context.Context, r *response, took time.Duration) {
	class := "none"
	if r != nil {
		class = strconv.Itoa(r.status/100) + "xx"
	}
	m.attempts.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("status", class)))
}

func (m *metrics) replied(ctx context.Context, result string) {
	m.replies.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result)))
}
