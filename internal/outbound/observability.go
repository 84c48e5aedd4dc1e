package outbound

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count what became of requests. Whose endpoints they went to is not among the labels.
type metrics struct {
	duration metric.Float64Histogram
	pauses   metric.Int64Counter
}

func newMetrics() *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/outbound")
	m := &metrics{}
	m.duration, _ = meter.Float64Histogram("fairlead.outbound.duration",
		metric.WithUnit("s"), metric.WithDescription("Time of a request to an external endpoint with the wait for its turn, by result: class of the status, or why there was no response."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20))
	m.pauses, _ = meter.Int64Counter("fairlead.outbound.pauses",
		metric.WithDescription("How often an external endpoint was left alone because it failed again and again."))
	return m
}

func (m *metrics) sent(started time.Time, r *Response, err *Error) {
	result := ""
	if err != nil {
		result = string(err.Kind)
	} else {
		result = strconv.Itoa(r.Status/100) + "xx"
	}
	m.duration.Record(context.Background(), time.Since(started).Seconds(), metric.WithAttributes(attribute.String("result", result)))
}

func (m *metrics) paused() { m.pauses.Add(context.Background(), 1) }
