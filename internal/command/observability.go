package command

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const meterName = "github.com/fairlead/fairlead/internal/command"

func result(name string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("result", name)))
}

// hubMetrics count commands by what became of them in this process.
type hubMetrics struct {
	commands, polls              metric.Int64Counter
	reached, unheard, overflowed metric.MeasurementOption
}

func newHubMetrics(listening func() int64) *hubMetrics {
	meter := otel.Meter(meterName)
	m := &hubMetrics{reached: result("delivered"), unheard: result("unheard"), overflowed: result("overflowed")}
	m.commands, _ = meter.Int64Counter("fairlead.commands",
		metric.WithDescription("Commands: delivered to a listener, heard by none, or dropped because a listener was slow."))
	m.polls, _ = meter.Int64Counter("fairlead.commands.polls",
		metric.WithDescription("Requests that waited for a command: it came (command), it did not (empty), or Redis did not let them listen (failed)."))
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

// Results of polls.
const (
	pollTaken  = "command"
	pollEmpty  = "empty"
	pollFailed = "failed"
)

func (m *hubMetrics) polled(what string) { m.polls.Add(context.Background(), 1, result(what)) }

func (m *hubMetrics) drop() { m.commands.Add(context.Background(), 1, m.overflowed) }

// routerMetrics count commands by what became of them on their way to other processes.
type routerMetrics struct {
	sends, replies, messages          metric.Int64Counter
	latency                           metric.Float64Histogram
	reached, unheard, silent, refused metric.MeasurementOption
	failed                            metric.MeasurementOption
}

func newRouterMetrics() *routerMetrics {
	meter := otel.Meter(meterName)
	m := &routerMetrics{
		reached: result("reached"), unheard: result("unheard"), silent: result("silent"), refused: result("refused"), failed: result("failed"),
	}
	m.sends, _ = meter.Int64Counter("fairlead.commands.sent",
		metric.WithDescription("Commands that this process sent to a connected device: reached a listener, heard by none, refused by all "+
			"listeners, given to processes that did not say in time to whom they handed it, or failed because Redis could not be told."))
	m.latency, _ = meter.Float64Histogram("fairlead.commands.latency", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2),
		metric.WithDescription("Time from sending a command until every process that was given it has said to whom it handed it."))
	m.replies, _ = meter.Int64Counter("fairlead.commands.replies.dropped",
		metric.WithDescription("Replies to senders of commands that were given up: too many waited, or Redis could not be told in time."))
	m.messages, _ = meter.Int64Counter("fairlead.commands.broken",
		metric.WithDescription("Messages between processes that could not be read."))
	return m
}

func (m *routerMetrics) sent(ctx context.Context, r *Receipt, err error, took time.Duration) {
	m.sends.Add(ctx, 1, m.resultOf(r, err))
	if err == nil {
		m.latency.Record(ctx, took.Seconds())
	}
}

func (m *routerMetrics) resultOf(r *Receipt, err error) metric.MeasurementOption {
	switch {
	case err != nil:
		return m.failed
	case r.Reach.Taken() > 0:
		return m.reached
	case r.Silent > 0:
		return m.silent
	case len(r.Reach) > 0:
		return m.refused
	default:
		return m.unheard
	}
}

func (m *routerMetrics) silenced(n int) { m.replies.Add(context.Background(), int64(n)) }

func (m *routerMetrics) broken() { m.messages.Add(context.Background(), 1) }
