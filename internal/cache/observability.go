package cache

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics count what the cache does. No label holds a name of the registry.
type metrics struct {
	lookups  metric.Int64Counter
	failures metric.Int64Counter
	redis    metric.Float64Histogram
	changes  metric.Int64Counter
	answers  map[answer]metric.MeasurementOption
}

// Where an answer to a look-up came from, the values of the label "from".
const (
	fromLocal   = "process"
	fromRedis   = "redis" // within the soft time to live
	fromStore   = "store" // a miss
	fromStale   = "stale" // Redis, past the soft time to live: the store does not answer, or somebody else asks it
	fromNowhere = "error" // neither Redis nor the store knew
)

// What fails, the values of the label "of".
const (
	failedRedis     = "redis"
	failedStore     = "store"
	failedDecoding  = "entry"        // an entry in Redis or a message
	failedSubscribe = "subscription" // lost, and to be made anew
)

func newMetrics() *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/cache")
	m := &metrics{answers: map[answer]metric.MeasurementOption{}}
	m.lookups, _ = meter.Int64Counter("fairlead.cache.lookups",
		metric.WithDescription("Look-ups of registry documents, by where the answer came from."))
	m.failures, _ = meter.Int64Counter("fairlead.cache.failures",
		metric.WithDescription("Failures of neighbours, of entries and of the subscription."))
	m.redis, _ = meter.Float64Histogram("fairlead.cache.redis.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of one round trip to Redis, by whether it succeeded."),
		metric.WithExplicitBucketBoundaries(.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25))
	m.changes, _ = meter.Int64Counter("fairlead.cache.changes",
		metric.WithDescription("Changes of registry documents that this process heard of."))
	for _, from := range []string{fromLocal, fromRedis, fromStore, fromStale, fromNowhere} {
		for _, found := range []bool{true, false} {
			m.answers[answer{from, found}] = metric.WithAttributeSet(attribute.NewSet(
				attribute.String("from", from), attribute.Bool("found", found)))
		}
	}
	return m
}

// An answer is where an answer came from, and whether there is a document.
type answer struct {
	from  string
	found bool
}

func (m *metrics) answered(from string, found bool) {
	m.lookups.Add(context.Background(), 1, m.answers[answer{from, found}])
}

func (m *metrics) failure(of string) {
	m.failures.Add(context.Background(), 1, metric.WithAttributes(attribute.String("of", of)))
}

func (m *metrics) heard() { m.changes.Add(context.Background(), 1) }

func (m *metrics) roundTrip(started time.Time, err error) {
	m.redis.Record(context.Background(), time.Since(started).Seconds(), metric.WithAttributes(attribute.Bool("ok", err == nil)))
	if err != nil {
		m.failure(failedRedis)
	}
}
