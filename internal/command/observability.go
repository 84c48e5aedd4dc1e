package command

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// hubMetrics count commands by what became of them in this process.
type hubMetrics struct {
	commands                     metric.Int64Counter
	reached, unheard, overflowed metric.MeasurementOption
}

func newHubMetrics(listening func() int64) *hubMetrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/command")
	result := func(name string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(attribute.String("result", name)))
	}
	m := &hubMetrics{reached: result("delivered"), unheard: result("unheard"), overflowed: result("overflowed")}
	m.commands, _ = meter.Int64Counter("fairlead.commands",
		metric.WithDescription("Commands: delivered to a listener, heard by none, or dropped because a listener was slow."))
	devices, _ := meter.Int64ObservableGauge("fairlead.commands.listening",
		metric.WithDescription("Connected devices that listen for commands in this process."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(devices, listening())
		return nil
	}, devices)
	return m
}

func (m *hubMetrics) delivered(reached int) {
	if reached == 0 {
		m.commands.Add(context.Background(), 1, m.unheard)
		return
	}
	m.commands.Add(context.Background(), int64(reached), m.reached)
}

func (m *hubMetrics) drop() { m.commands.Add(context.Background(), 1, m.overflowed) }
