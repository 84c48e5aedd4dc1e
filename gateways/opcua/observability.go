package opcua

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// gatewayMetrics count what comes of what servers tell. Each attempt to store it is counted by the pipeline, and what they tell by
// internal/opcua.
type gatewayMetrics struct {
	meter                       metric.Meter
	messages, retries, commands metric.Int64Counter
	findings, refusedItems      metric.Int64Gauge
	devices                     metric.Int64ObservableGauge
	outcomes                    map[outcome.Outcome]metric.MeasurementOption
}

func newGatewayMetrics() *gatewayMetrics {
	m := &gatewayMetrics{
		meter:    otel.Meter("github.com/fairlead/fairlead/gateways/opcua"),
		outcomes: map[outcome.Outcome]metric.MeasurementOption{},
	}
	m.messages, _ = m.meter.Int64Counter("fairlead.opcua.messages",
		metric.WithDescription("Messages made of what servers tell that are decided, by what became of them."))
	m.retries, _ = m.meter.Int64Counter("fairlead.opcua.retries",
		metric.WithDescription("Attempts to store a message that have to be repeated, by outcome."))
	m.commands, _ = m.meter.Int64Counter("fairlead.opcua.commands",
		metric.WithDescription("Commands that were done or not, by whether the server's status was good."))
	m.findings, _ = m.meter.Int64Gauge("fairlead.opcua.mapping.findings",
		metric.WithDescription("Nodes of the mapping that the server does not have, or that are not what the mapping takes them for, by server."))
	m.refusedItems, _ = m.meter.Int64Gauge("fairlead.opcua.refused",
		metric.WithDescription("Nodes that the server does not monitor, although it has them, by server."))
	m.devices, _ = m.meter.Int64ObservableGauge("fairlead.opcua.devices",
		metric.WithDescription("Devices that are connected, by server."))
	for _, o := range outcome.All() {
		m.outcomes[o] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", o.String())))
	}
	return m
}

func ofServer(name string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("server", name)))
}

// observe has the devices of a gateway counted when metrics are collected, until stop is called.
func (m *gatewayMetrics) observe(g *Gateway) (stop func()) {
	registration, _ := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, u := range g.upstreams {
			o.ObserveInt64(m.devices, int64(u.claims.count()), ofServer(u.name))
		}
		return nil
	}, m.devices)
	return func() { _ = registration.Unregister() }
}

func (m *gatewayMetrics) decided(o outcome.Outcome) {
	m.messages.Add(context.Background(), 1, m.outcomes[o])
}

// stored counts messages that are stored.
func (m *gatewayMetrics) stored(n int64) {
	m.messages.Add(context.Background(), n, m.outcomes[outcome.Accepted])
}

func (m *gatewayMetrics) retried(o outcome.Outcome) {
	m.retries.Add(context.Background(), 1, m.outcomes[o])
}

func (m *gatewayMetrics) commanded(good bool) {
	m.commands.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.Bool("good", good))))
}

func (m *gatewayMetrics) found(server string, n int) {
	m.findings.Record(context.Background(), int64(n), ofServer(server))
}

func (m *gatewayMetrics) refused(server string, n int) {
	m.refusedItems.Record(context.Background(), int64(n), ofServer(server))
}
