package transport

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count what goes wrong before anybody can be told.
type metrics struct {
	failures metric.Int64Counter
	loads    metric.Int64Counter
}

func newMetrics() *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/transport")
	m := &metrics{}
	m.failures, _ = meter.Int64Counter("fairlead.transport.accept.failures",
		metric.WithDescription("Connections that could not be accepted for lack of file descriptors or memory."))
	m.loads, _ = meter.Int64Counter("fairlead.transport.certificate.loads",
		metric.WithDescription("Changed certificates that were read, by whether they can be used."))
	m.count(false, 0) // so that the first failure is an increase, of which an alert tells
	return m
}

func (m *metrics) failed() { m.failures.Add(context.Background(), 1) }

func (m *metrics) loaded(err error) { m.count(err == nil, 1) }

func (m *metrics) count(ok bool, n int64) {
	m.loads.Add(context.Background(), n, metric.WithAttributes(attribute.Bool("ok", ok)))
}
