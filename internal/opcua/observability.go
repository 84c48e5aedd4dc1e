package opcua

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are those of one server.
type metrics struct {
	server                                                                               metric.MeasurementOption
	connection, monitoredItems, waiting                                                  metric.Int64Gauge
	failures, values, overflows, events, losses, lostMessages, again, repetitions, stray metric.Int64Counter
}

func newMetrics(server string) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/opcua")
	m := &metrics{server: metric.WithAttributeSet(attribute.NewSet(attribute.String("server", server)))}
	m.connection, _ = meter.Int64Gauge("fairlead.opcua.connected",
		metric.WithDescription("Whether the OPC UA server is connected: 1 or 0."))
	m.monitoredItems, _ = meter.Int64Gauge("fairlead.opcua.items",
		metric.WithDescription("Nodes of the OPC UA server whose values or events are monitored."))
	m.waiting, _ = meter.Int64Gauge("fairlead.opcua.unsettled",
		metric.WithDescription("Messages of the OPC UA server that are not stored yet."))
	m.failures, _ = meter.Int64Counter("fairlead.opcua.connection.failures",
		metric.WithDescription("Connections to the OPC UA server that ended or could not be made."))
	m.values, _ = meter.Int64Counter("fairlead.opcua.values",
		metric.WithDescription("Values that the OPC UA server has told."))
	m.overflows, _ = meter.Int64Counter("fairlead.opcua.overflows",
		metric.WithDescription("Values of which the OPC UA server said that it has dropped others of the node, since its queue was full."))
	m.events, _ = meter.Int64Counter("fairlead.opcua.events",
		metric.WithDescription("Events that the OPC UA server has told."))
	m.losses, _ = meter.Int64Counter("fairlead.opcua.losses",
		metric.WithDescription("Gaps in what the OPC UA server has told."))
	m.lostMessages, _ = meter.Int64Counter("fairlead.opcua.lost",
		metric.WithDescription("Messages of the OPC UA server that are known to be lost."))
	m.again, _ = meter.Int64Counter("fairlead.opcua.republished",
		metric.WithDescription("Messages that the OPC UA server has sent again because they did not arrive."))
	m.repetitions, _ = meter.Int64Counter("fairlead.opcua.repeated",
		metric.WithDescription("Messages that the OPC UA server has sent twice, and that were dropped."))
	m.stray, _ = meter.Int64Counter("fairlead.opcua.unknown",
		metric.WithDescription("Values and events of the OPC UA server that are of no monitored item."))
	return m
}

func (m *metrics) count(c metric.Int64Counter, n int) {
	c.Add(context.Background(), int64(n), m.server)
}

func (m *metrics) notified(n *Notification) {
	m.count(m.values, len(n.Values))
	m.count(m.events, len(n.Events))
	overflows := 0
	for i := range n.Values {
		if n.Values[i].Status.Overflow() {
			overflows++
		}
	}
	if overflows > 0 {
		m.count(m.overflows, overflows)
	}
}

func (m *metrics) lost(messages int) {
	m.count(m.losses, 1)
	m.count(m.lostMessages, messages)
}

func (m *metrics) failed()         { m.count(m.failures, 1) }
func (m *metrics) republished()    { m.count(m.again, 1) }
func (m *metrics) repeated()       { m.count(m.repetitions, 1) }
func (m *metrics) unknown()        { m.count(m.stray, 1) }
func (m *metrics) items(n int)     { m.monitoredItems.Record(context.Background(), int64(n), m.server) }
func (m *metrics) unsettled(n int) { m.waiting.Record(context.Background(), int64(n), m.server) }

func (m *metrics) connected(yes bool) {
	var n int64
	if yes {
		n = 1
	}
	m.connection.Record(context.Background(), n, m.server)
}
