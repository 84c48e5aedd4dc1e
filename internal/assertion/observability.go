package assertion

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

type metrics struct{ refusals metric.Int64Counter }

func newMetrics() *metrics {
	m := &metrics{}
	m.refusals, _ = otel.Meter("github.com/fairlead/fairlead/internal/assertion").Int64Counter("fairlead.assertion.refusals",
		metric.WithDescription("Requests whose header of who the client is was not believed, by reason: no_key, form, signature or time. Clients cannot reach this through a gateway, which takes such a header out."))
	return m
}

func (m *metrics) refused(err error) {
	reason := "form"
	switch {
	case errors.Is(err, errNoKey):
		reason = "no_key"
	case errors.Is(err, errSignature):
		reason = "signature"
	case errors.Is(err, errTime):
		reason = "time"
	}
	m.refusals.Add(context.Background(), 1, metric.WithAttributes(attribute.String("reason", reason)))
}
