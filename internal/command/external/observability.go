package external

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outbound"
)

// metrics count what endpoints did with commands. How long they took is with all outbound requests.
type metrics struct{ commands metric.Int64Counter }

func newMetrics() *metrics {
	m := &metrics{}
	m.commands, _ = otel.Meter("github.com/fairlead/fairlead/internal/command/external").Int64Counter("fairlead.commands.external",
		metric.WithDescription("Commands sent to endpoints outside, by the protocol of the endpoint: taken, refused by its status, or failed without a response."))
	return m
}

func (m *metrics) sent(protocol string, r *outbound.Response, err error) {
	result := "taken"
	switch {
	case err != nil:
		result = "failed"
	case !r.OK():
		result = "refused"
	}
	m.commands.Add(context.Background(), 1, metric.WithAttributes(attribute.String("protocol", protocol), attribute.String("result", result)))
}
