package mqtt

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// gatewayMetrics count what the connection loop and the pipeline do not see.
type gatewayMetrics struct {
	refusals, undeliverable metric.Int64Counter
	outcomes                map[outcome.Outcome]metric.MeasurementOption
}

func newGatewayMetrics(subscriptions func() int64) *gatewayMetrics {
	meter := otel.Meter("github.com/fairlead/fairlead/gateways/mqtt")
	m := &gatewayMetrics{outcomes: map[outcome.Outcome]metric.MeasurementOption{}}
	for _, o := range outcome.All() {
		m.outcomes[o] = label("outcome", o.String())
	}
	m.refusals, _ = meter.Int64Counter("fairlead.mqtt.gateway.refused",
		metric.WithDescription("Messages refused before the pipeline: for their topic, or because the device may not act for another."))
	m.undeliverable, _ = meter.Int64Counter("fairlead.mqtt.gateway.commands.undeliverable",
		metric.WithDescription("Commands dropped because no topic can hold their name."))
	gauge, _ := meter.Int64ObservableGauge("fairlead.mqtt.gateway.subscriptions",
		metric.WithDescription("Subscriptions of commands."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(gauge, subscriptions())
		return nil
	}, gauge)
	return m
}

func label(name, value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(name, value)))
}

func (m *gatewayMetrics) refused(o outcome.Outcome) {
	m.refusals.Add(context.Background(), 1, m.outcomes[o])
}

func (m *gatewayMetrics) undelivered() { m.undeliverable.Add(context.Background(), 1) }
