package bridge

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// What happens to connections, as the metrics name it.
const (
	connectionUp     = "up"
	connectionLost   = "lost"
	connectionFailed = "failed"
)

// bridgeMetrics count what comes from the broker and what becomes of it. Each attempt to store it is counted by the
// pipeline.
type bridgeMetrics struct {
	meter                                        metric.Meter
	messages, retries, redeliveries, connections metric.Int64Counter
	outcomes                                     map[outcome.Outcome]metric.MeasurementOption
	undecided, ready                             metric.Int64ObservableGauge
}

func newBridgeMetrics() *bridgeMetrics {
	m := &bridgeMetrics{
		meter:    otel.Meter("github.com/fairlead/fairlead/gateways/bridge"),
		outcomes: map[outcome.Outcome]metric.MeasurementOption{},
	}
	m.messages, _ = m.meter.Int64Counter("fairlead.bridge.messages",
		metric.WithDescription("Messages of the broker that are settled, by what became of them."))
	m.retries, _ = m.meter.Int64Counter("fairlead.bridge.retries",
		metric.WithDescription("Attempts to store a message that have to be repeated, by outcome."))
	m.redeliveries, _ = m.meter.Int64Counter("fairlead.bridge.redeliveries",
		metric.WithDescription("Messages that came again on a new connection while the bridge still knew them, and were not stored again."))
	m.connections, _ = m.meter.Int64Counter("fairlead.bridge.connections",
		metric.WithDescription("Connections to the broker that came up, were lost, or failed to come up."))
	m.undecided, _ = m.meter.Int64ObservableGauge("fairlead.bridge.waiting",
		metric.WithDescription("Messages that wait to be stored, by QoS."))
	m.ready, _ = m.meter.Int64ObservableGauge("fairlead.bridge.ready",
		metric.WithDescription("1 while the bridge is subscribed at the broker and admitted as a gateway, else 0."))
	for _, o := range outcome.All() {
		m.outcomes[o] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", o.String())))
	}
	return m
}

// observe has the state of a bridge read when metrics are collected, until stop is called.
func (m *bridgeMetrics) observe(b *Bridge) (stop func()) {
	qos := func(n int) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.Int("qos", n)))
	}
	registration, _ := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		o.ObserveInt64(m.undecided, int64(len(b.intake.unacknowledged)), qos(0))
		o.ObserveInt64(m.undecided, int64(len(b.intake.acknowledged)), qos(1))
		var ready int64
		if b.Ready(ctx) == nil {
			ready = 1
		}
		o.ObserveInt64(m.ready, ready)
		return nil
	}, m.undecided, m.ready)
	return func() { _ = registration.Unregister() }
}

func (m *bridgeMetrics) decided(o outcome.Outcome) {
	m.messages.Add(context.Background(), 1, m.outcomes[o])
}

func (m *bridgeMetrics) retried(o outcome.Outcome) {
	m.retries.Add(context.Background(), 1, m.outcomes[o])
}

func (m *bridgeMetrics) redelivered() { m.redeliveries.Add(context.Background(), 1) }

func (m *bridgeMetrics) connection(event string) {
	m.connections.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.String("event", event))))
}
