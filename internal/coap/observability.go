package coap

import (
	"context"
	"fmt"

	"github.com/plgd-dev/go-coap/v3/message/codes"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// A dropReason is why a message was not served, or not sent.
type dropReason string

const (
	dropMalformed dropReason = "malformed"
	dropOversize  dropReason = "oversize"
	dropCritical  dropReason = "critical" // non-confirmable, with an option that has to be understood and is not
	dropBusy      dropReason = "busy"     // at a bound
	dropStray     dropReason = "stray"    // acknowledges or resets nothing
	dropCredit    dropReason = "credit"   // more than an unproven address may be sent
	dropUnread    dropReason = "unread"   // the socket has an error
	dropUnsent    dropReason = "unsent"   // the socket or the session has an error
)

type metrics struct {
	answers, dropped, events metric.Int64Counter
	byCode                   [256]metric.MeasurementOption
	byEvent                  map[string]metric.MeasurementOption
}

func newMetrics(e *Endpoint) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/coap")
	m := &metrics{byEvent: map[string]metric.MeasurementOption{}}
	m.answers, _ = meter.Int64Counter("fairlead.coap.answers",
		metric.WithDescription("Answers to CoAP requests, by response code."))
	m.dropped, _ = meter.Int64Counter("fairlead.coap.dropped",
		metric.WithDescription("CoAP messages that were not served or not sent, by reason."))
	m.events, _ = meter.Int64Counter("fairlead.coap.exchanges",
		metric.WithDescription("What the message layer of CoAP did: duplicates answered, answers sent separately, messages sent again or never acknowledged, answers and clients forgotten at a bound."))
	for code := range m.byCode {
		m.byCode[code] = label("code", fmt.Sprintf("%d.%02d", code>>5, code&31))
	}
	for _, event := range []string{"duplicate", "separate", "retransmitted", "unacknowledged", "forgotten", "displaced"} {
		m.byEvent[event] = label("event", event)
	}
	gauge(meter, "fairlead.coap.open", "CoAP requests that have no answer yet.", func() int64 { return e.unanswered.Load() })
	gauge(meter, "fairlead.coap.remembered", "CoAP answers that are kept for when a request is sent again.", func() int64 { return e.remembered.Load() })
	gauge(meter, "fairlead.coap.transfer.bytes", "Bytes of CoAP messages that come or go block by block.", func() int64 { return int64(e.transferred.Len()) })
	gauge(meter, "fairlead.coap.observations", "Observations of commands.", func() int64 { return e.observations.Load() })
	return m
}

func gauge(meter metric.Meter, name, description string, value func() int64) {
	_, _ = meter.Int64ObservableGauge(name, metric.WithDescription(description),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(value())
			return nil
		}))
}

func label(name, value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(name, value)))
}

func (m *metrics) answer(code codes.Code) {
	m.answers.Add(context.Background(), 1, m.byCode[byte(code)])
}

func (m *metrics) drop(r dropReason) {
	m.dropped.Add(context.Background(), 1, label("reason", string(r)))
}

func (m *metrics) duplicate()      { m.event("duplicate") }
func (m *metrics) separate()       { m.event("separate") }
func (m *metrics) retransmit()     { m.event("retransmitted") }
func (m *metrics) unacknowledged() { m.event("unacknowledged") }
func (m *metrics) forget()         { m.event("forgotten") }
func (m *metrics) displace()       { m.event("displaced") }

func (m *metrics) event(name string) { m.events.Add(context.Background(), 1, m.byEvent[name]) }
