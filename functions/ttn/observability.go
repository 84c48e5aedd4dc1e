package ttn

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// webhookMetrics count what the network sends and what could not be read of it. What becomes of a message that was read
// is counted by the pipeline.
type webhookMetrics struct {
	read     metric.Int64Counter
	refused  metric.Int64Counter
	unusable metric.Int64Counter
}

func newWebhookMetrics() *webhookMetrics {
	meter := otel.Meter("github.com/fairlead/fairlead/functions/ttn")
	m := &webhookMetrics{}
	m.read, _ = meter.Int64Counter("fairlead.ttn.webhooks",
		metric.WithDescription("Webhooks that were read, by stack and kind of message."))
	m.refused, _ = meter.Int64Counter("fairlead.ttn.refused",
		metric.WithDescription("Webhooks whose body was refused, by stack and kind of refusal."))
	m.unusable, _ = meter.Int64Counter("fairlead.ttn.downlinks.unusable",
		metric.WithDescription("Webhooks whose downlink address or key cannot be used, such as one without TLS."))
	return m
}

func (m *webhookMetrics) countRead(s stack, k Kind) {
	m.read.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String("stack", s.name), attribute.String("kind", string(k))))
}

func (m *webhookMetrics) countUnusable() { m.unusable.Add(context.Background(), 1) }

func (m *webhookMetrics) countRefused(s stack, r *Refusal) {
	m.refused.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String("stack", s.name), attribute.String("error", r.Name)))
}
