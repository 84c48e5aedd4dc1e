package coap

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// An end is why the gateway ended a DTLS session.
type end string

const (
	endRefused   end = "refused"   // what the handshake proved is of no device that may log in
	endRevoked   end = "revoked"   // the device is not admitted any more
	endUndecided end = "undecided" // nobody could say whether it still is
	endExpired   end = "expired"   // its certificate or key has ended
)

type metrics struct {
	sessions, observations metric.Int64Counter
}

func newMetrics(waiting func() int) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/gateways/coap")
	m := &metrics{}
	m.sessions, _ = meter.Int64Counter("fairlead.coap.sessions.ended",
		metric.WithDescription("DTLS sessions that the gateway ended because of who their device is, by reason."))
	m.observations, _ = meter.Int64Counter("fairlead.coap.observations.events",
		metric.WithDescription("Registrations of observers, and commands that they were notified of or could not be."))
	gauge, _ := meter.Int64ObservableGauge("fairlead.coap.waiting",
		metric.WithDescription("CoAP requests that wait for a command."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(gauge, int64(waiting()))
		return nil
	}, gauge)
	return m
}

func (m *metrics) ended(reason end) { m.count(m.sessions, "reason", string(reason)) }

func (m *metrics) observed() { m.count(m.observations, "event", "registered") }

func (m *metrics) notified(err error) {
	if err != nil {
		m.count(m.observations, "event", "lost")
		return
	}
	m.count(m.observations, "event", "notified")
}

func (m *metrics) count(counter metric.Int64Counter, name, value string) {
	counter.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.String(name, value))))
}
