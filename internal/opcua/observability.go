package opcua

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are those of one server.
type metrics struct {
	server                                                                    metric.MeasurementOption
	connection, monitoredItems, waiting                                       metric.Int64Gauge
	failures, values, events, losses, lostMessages, again, repetitions, stray metric.Int64Counter
}

func newMetrics(server string) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/opcua")
	counter := func(name, description string) metric.Int64Counter {
		c, _ := meter.Int64Counter("fairlead.opcua."+name, metric.WithDescription(description))
		return c
	}
	gauge := func(name, description string) metric.Int64Gauge {
		g, _ := meter.Int64Gauge("fairlead.opcua."+name, metric.WithDescription(description))
		return g
	}
	return &metrics{
		server:         metric.WithAttributeSet(attribute.NewSet(attribute.String("server", server))),
		connection:     gauge("connected", "Whether the OPC UA server is connected: 1 or 0."),
		monitoredItems: gauge("items", "Nodes of the OPC UA server whose values or events are monitored."),
		waiting:        gauge("unsettled", "Messages of the OPC UA server that are not stored yet."),
		failures:       counter("connection.failures", "Connections to the OPC UA server that ended or could not be made."),
		values:         counter("values", "Values that the OPC UA server has told."),
		events:         counter("events", "Events that the OPC UA server has told."),
		losses:         counter("losses", "Gaps in what the OPC UA server has told."),
		lostMessages:   counter("lost", "Messages of the OPC UA server that are known to be lost."),
		again:          counter("republished", "Messages that the OPC UA server has sent again because they did not arrive."),
		repetitions:    counter("repeated", "Messages that the OPC UA server has sent twice, and that were dropped."),
		stray:          counter("unknown", "Values and events of the OPC UA server that are of no monitored item."),
	}
}

func (m *metrics) count(c metric.Int64Counter, n int) {
	c.Add(context.Background(), int64(n), m.server)
}

func (m *metrics) notified(values, events int) {
	m.count(m.values, values)
	m.count(m.events, events)
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
