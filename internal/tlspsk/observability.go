package tlspsk

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The kinds of clients, as their ClientHello tells.
const (
	withKey    = "psk"
	withoutKey = "other"
)

type metrics struct {
	handshakes  metric.Int64Counter
	connections metric.Int64UpDownCounter
}

func newMetrics() *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/tlspsk")
	m := &metrics{}
	m.handshakes, _ = meter.Int64Counter("fairlead.tls.handshakes",
		metric.WithDescription("TLS handshakes, by whether the client offered a pre-shared key and whether they succeeded."))
	m.connections, _ = meter.Int64UpDownCounter("fairlead.tls.psk.connections",
		metric.WithDescription("Connections of clients with a pre-shared key, those in their handshake included."))
	return m
}

func (m *metrics) finished(client string, err error) {
	m.handshakes.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(
		attribute.String("client", client), attribute.Bool("ok", err == nil))))
}

func (m *metrics) opened() { m.connections.Add(context.Background(), 1) }
func (m *metrics) closed() { m.connections.Add(context.Background(), -1) }
