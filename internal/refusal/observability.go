package refusal

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count refusals. Both labels have few values.
type metrics struct {
	refusals metric.Int64Counter
	labels   sync.Map // from labels to metric.MeasurementOption: making one anew takes longer than counting
}

// labels are those of the metric.
type labels struct{ protocol, outcome string }

func newMetrics() *metrics {
	m := &metrics{}
	m.refusals, _ = otel.Meter("github.com/fairlead/fairlead/internal/refusal").Int64Counter("fairlead.refusals",
		metric.WithDescription("Requests and messages that were refused, at whatever step, by protocol and outcome."))
	return m
}

func (m *metrics) count(r Report) {
	of := labels{Protocol(r.Protocol), r.Outcome.String()}
	option, ok := m.labels.Load(of)
	if !ok {
		option = metric.WithAttributeSet(attribute.NewSet(attribute.String("protocol", of.protocol), attribute.String("outcome", of.outcome)))
		m.labels.Store(of, option)
	}
	m.refusals.Add(context.Background(), 1, option.(metric.MeasurementOption))
}
