package mqtt

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// A renewal is what became of a revoked or expired admission.
type renewal string

// The renewals.
const (
	renewalKept      renewal = "kept"      // admitted again
	renewalRefused   renewal = "refused"   // not admitted any more: disconnected
	renewalReplaced  renewal = "replaced"  // the log-in is another device's now: disconnected
	renewalExpired   renewal = "expired"   // the certificate has ended: disconnected
	renewalUndecided renewal = "undecided" // nobody could decide: tried again later
	renewalGivenUp   renewal = "given_up"  // nobody could decide for too long: disconnected
)

// gatewayMetrics count what the connection loop and the pipeline do not see.
type gatewayMetrics struct {
	refusals, renewals, undeliverable metric.Int64Counter
	outcomes                          map[outcome.Outcome]metric.MeasurementOption
}

// gauges are read when metrics are collected.
type gauges struct {
	subscriptions, rechecks func() int64
}

func newGatewayMetrics(read gauges) *gatewayMetrics {
	meter := otel.Meter("github.com/fairlead/fairlead/gateways/mqtt")
	m := &gatewayMetrics{outcomes: map[outcome.Outcome]metric.MeasurementOption{}}
	for _, o := range outcome.All() {
		m.outcomes[o] = label("outcome", o.String())
	}
	m.refusals, _ = meter.Int64Counter("fairlead.mqtt.gateway.refused",
		metric.WithDescription("Messages refused before the pipeline: for their topic, or because the device may not act for another."))
	m.renewals, _ = meter.Int64Counter("fairlead.mqtt.gateway.renewals",
		metric.WithDescription("Revoked or expired log-ins of live sessions, by what became of them."))
	m.undeliverable, _ = meter.Int64Counter("fairlead.mqtt.gateway.commands.undeliverable",
		metric.WithDescription("Commands dropped because no topic can hold their name."))
	subscriptions, _ := meter.Int64ObservableGauge("fairlead.mqtt.gateway.subscriptions",
		metric.WithDescription("Subscriptions of commands."))
	rechecks, _ := meter.Int64ObservableGauge("fairlead.mqtt.gateway.rechecks",
		metric.WithDescription("Sessions whose log-in is to be judged again or whose certificate ends some time."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(subscriptions, read.subscriptions())
		o.ObserveInt64(rechecks, read.rechecks())
		return nil
	}, subscriptions, rechecks)
	return m
}

func label(name, value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(name, value)))
}

func (m *gatewayMetrics) refused(o outcome.Outcome) {
	m.refusals.Add(context.Background(), 1, m.outcomes[o])
}

func (m *gatewayMetrics) renewed(r renewal) {
	m.renewals.Add(context.Background(), 1, label("result", string(r)))
}

func (m *gatewayMetrics) undelivered() { m.undeliverable.Add(context.Background(), 1) }
