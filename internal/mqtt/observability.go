package mqtt

import (
	"context"
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// What becomes of a new connection, the values of the label "outcome". Refusals have the name of their reason code.
const (
	accepted    = "accepted"
	unheard     = "unheard"      // closed at once, because too many others were not admitted yet
	noHandshake = "no handshake" // of TLS
	noConnect   = "no connect"   // closed, or silent for too long, before a CONNECT
)

func newMeter() metric.Meter { return otel.Meter("github.com/fairlead/fairlead/internal/mqtt") }

// metrics count what a server does. What happens with every packet is counted in atomics, which are read when metrics are
// collected. No label says anything about a client.
type metrics struct {
	connects, broken metric.Int64Counter

	packets  [16]atomic.Int64 // by type
	inFlight atomic.Int64
	panics   atomic.Int64

	droppedSlow, droppedClosed, droppedTooLarge atomic.Int64
}

func newMetrics(g *admissionLimits) *metrics {
	meter := newMeter()
	m := &metrics{}
	m.connects, _ = meter.Int64Counter("fairlead.mqtt.connects",
		metric.WithDescription("New connections, by what became of them."))
	m.broken, _ = meter.Int64Counter("fairlead.mqtt.malformed",
		metric.WithDescription("Packets that broke the protocol or a limit, by reason code: their connection ends, except for messages of version 3.1.1 that are too large."))
	connections, _ := meter.Int64ObservableUpDownCounter("fairlead.mqtt.connections",
		metric.WithDescription("Open connections, by whether the client is admitted."))
	packets, _ := meter.Int64ObservableCounter("fairlead.mqtt.packets",
		metric.WithDescription("Packets received, by type."))
	inFlight, _ := meter.Int64ObservableUpDownCounter("fairlead.mqtt.publishes.waiting",
		metric.WithDescription("Messages that have been published and not been answered."))
	dropped, _ := meter.Int64ObservableCounter("fairlead.mqtt.deliveries.dropped",
		metric.WithDescription("Messages that did not reach a client, by reason: it read too slowly, left, or takes none as large."))
	panics, _ := meter.Int64ObservableCounter("fairlead.mqtt.panics",
		metric.WithDescription("Connections that ended in a panic."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		admitted, unadmitted := g.count()
		o.ObserveInt64(connections, admitted, metric.WithAttributes(attribute.Bool("admitted", true)))
		o.ObserveInt64(connections, unadmitted, metric.WithAttributes(attribute.Bool("admitted", false)))
		for t := packet.CONNECT; t <= packet.AUTH; t++ {
			o.ObserveInt64(packets, m.packets[t].Load(), metric.WithAttributes(attribute.String("type", t.String())))
		}
		o.ObserveInt64(inFlight, m.inFlight.Load())
		o.ObserveInt64(dropped, m.droppedSlow.Load(), metric.WithAttributes(attribute.String("reason", "slow")))
		o.ObserveInt64(dropped, m.droppedClosed.Load(), metric.WithAttributes(attribute.String("reason", "closed")))
		o.ObserveInt64(dropped, m.droppedTooLarge.Load(), metric.WithAttributes(attribute.String("reason", "too large")))
		o.ObserveInt64(panics, m.panics.Load())
		return nil
	}, connections, packets, inFlight, dropped, panics)
	return m
}

// connected counts what became of a new connection.
func (m *metrics) connected(outcome string) {
	m.connects.Add(context.Background(), 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}

// malformed counts an error that is the client's fault.
func (m *metrics) malformed(err error) {
	var broken *packet.Error
	if errors.As(err, &broken) {
		m.broken.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", broken.Reason.String())))
	}
}

// budgetMetrics count who waits for a Budget. What is spent is a sum over all budgets of the process.
type budgetMetrics struct{ backPressure metric.Int64Counter }

func newBudgetMetrics(spent func() (messages, bytes int64)) *budgetMetrics {
	meter := newMeter()
	m := &budgetMetrics{}
	m.backPressure, _ = meter.Int64Counter("fairlead.mqtt.gateway.backpressure",
		metric.WithDescription("Messages that had to wait because too many wait for Kafka."))
	messages, _ := meter.Int64ObservableUpDownCounter("fairlead.mqtt.gateway.inflight",
		metric.WithDescription("Messages that wait for Kafka."))
	bytes, _ := meter.Int64ObservableUpDownCounter("fairlead.mqtt.gateway.inflight.size", metric.WithUnit("By"),
		metric.WithDescription("Bytes of messages that wait for Kafka."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		inFlight, size := spent()
		o.ObserveInt64(messages, inFlight)
		o.ObserveInt64(bytes, size)
		return nil
	}, messages, bytes)
	return m
}

func (m *budgetMetrics) waited() { m.backPressure.Add(context.Background(), 1) }

// recheckMetrics count what became of log-ins that were judged again. What is queued is a sum over all rechecks of the process.
type recheckMetrics struct{ results metric.Int64Counter }

func newRecheckMetrics(queued func() int64) *recheckMetrics {
	meter := newMeter()
	m := &recheckMetrics{}
	m.results, _ = meter.Int64Counter("fairlead.mqtt.gateway.renewals",
		metric.WithDescription("Revoked or expired log-ins of live sessions, by what became of them."))
	rechecks, _ := meter.Int64ObservableUpDownCounter("fairlead.mqtt.gateway.rechecks",
		metric.WithDescription("Sessions whose log-in is to be judged again or whose certificate ends some time."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(rechecks, queued())
		return nil
	}, rechecks)
	return m
}

func (m *recheckMetrics) rechecked(r RecheckResult) {
	m.results.Add(context.Background(), 1, metric.WithAttributes(attribute.String("result", string(r))))
}
