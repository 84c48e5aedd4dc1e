package opcua

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// gatewayMetrics count what comes of what servers tell. Each attempt to store it is counted by the pipeline.
type gatewayMetrics struct {
	meter                              metric.Meter
	messages, retries, lostN, commands metric.Int64Counter
	findings, refusedItems             metric.Int64Gauge
	waiting, devices, ready            metric.Int64ObservableGauge
	outcomes                           map[outcome.Outcome]metric.MeasurementOption
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
	m.lostN, _ = m.meter.Int64Counter("fairlead.opcua.losses",
		metric.WithDescription("Gaps in what a server told, by server and by whether the number of missing messages is known."))
	m.commands, _ = m.meter.Int64Counter("fairlead.opcua.commands",
		metric.WithDescription("Commands that were done or not, by whether the server's status was good."))
	m.findings, _ = m.meter.Int64Gauge("fairlead.opcua.mapping.findings",
		metric.WithDescription("Nodes of the mapping that the server does not have, or that are not what the mapping takes them for, by server."))
	m.refusedItems, _ = m.meter.Int64Gauge("fairlead.opcua.refused",
		metric.WithDescription("Nodes that the server does not monitor, although it has them, by server."))
	m.waiting, _ = m.meter.Int64ObservableGauge("fairlead.opcua.waiting",
		metric.WithDescription("Notifications of a server that wait to be stored, by server."))
	m.devices, _ = m.meter.Int64ObservableGauge("fairlead.opcua.devices",
		metric.WithDescription("Devices that are connected, by server."))
	m.ready, _ = m.meter.Int64ObservableGauge("fairlead.opcua.ready",
		metric.WithDescription("1 while the server is connected and its nodes are monitored, else 0, by server."))
	for _, o := range outcome.All() {
		m.outcomes[o] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", o.String())))
	}
	return m
}

func ofServer(name string, more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(more, attribute.String("server", name))...))
}

// observe has the state of a gateway read when metrics are collected, until stop is called.
func (m *gatewayMetrics) observe(g *Gateway) (stop func()) {
	registration, _ := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		for _, u := range g.upstreams {
			u.mu.Lock()
			waiting := u.waiting
			u.mu.Unlock()
			o.ObserveInt64(m.waiting, int64(waiting), ofServer(u.name))
			o.ObserveInt64(m.devices, int64(u.claims.count()), ofServer(u.name))
			var ready int64
			if u.server.Ready(ctx) == nil {
				ready = 1
			}
			o.ObserveInt64(m.ready, ready, ofServer(u.name))
		}
		return nil
	}, m.waiting, m.devices, m.ready)
	return func() { _ = registration.Unregister() }
}

func (m *gatewayMetrics) decided(o outcome.Outcome) {
	m.messages.Add(context.Background(), 1, m.outcomes[o])
}

func (m *gatewayMetrics) retried(o outcome.Outcome) {
	m.retries.Add(context.Background(), 1, m.outcomes[o])
}

func (m *gatewayMetrics) lost(server string, messages int) {
	m.lostN.Add(context.Background(), 1, ofServer(server, attribute.Bool("counted", messages > 0)))
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
