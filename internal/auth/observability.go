package auth

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

const meterName = "github.com/fairlead/fairlead/internal/auth"

// outcomeLabels has the label of each outcome ready.
func outcomeLabels() map[outcome.Outcome]metric.MeasurementOption {
	labels := map[outcome.Outcome]metric.MeasurementOption{}
	for _, o := range outcome.All() {
		labels[o] = label("outcome", o.String())
	}
	return labels
}

func label(name, value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(name, value)))
}

// Where a decision is made, the values of a label. Those that the decision cache has are only counted: see cacheMetrics.
const (
	inRegistry = "registry" // judged in this process, against the registry
	inFunction = "function" // by the authentication function
)

// decisionMetrics count and time decisions on log-ins, by where they are made, protocol and outcome. There are few of each.
type decisionMetrics struct {
	decisions metric.Int64Counter
	duration  metric.Float64Histogram
	labels    map[decisionLabels]metric.MeasurementOption
}

type decisionLabels struct {
	protocol string
	outcome  outcome.Outcome
}

func newDecisionMetrics(where string) *decisionMetrics {
	meter := otel.Meter(meterName)
	m := &decisionMetrics{labels: map[decisionLabels]metric.MeasurementOption{}}
	m.decisions, _ = meter.Int64Counter("fairlead.auth.decisions",
		metric.WithDescription("Decisions on log-ins that were not in the decision cache, by where they were made, protocol and outcome."))
	m.duration, _ = meter.Float64Histogram("fairlead.auth.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to decide on a log-in that was not in the decision cache, by where that was done, protocol and outcome."),
		metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	for _, protocol := range refusal.Protocols() {
		for _, o := range outcome.All() {
			m.labels[decisionLabels{protocol, o}] = metric.WithAttributeSet(attribute.NewSet(
				attribute.String("where", where), attribute.String("protocol", protocol), attribute.String("outcome", o.String())))
		}
	}
	return m
}

func (m *decisionMetrics) decided(protocol string, started time.Time, err error) {
	labels := m.labels[decisionLabels{refusal.Protocol(protocol), outcome.Of(err)}]
	m.decisions.Add(context.Background(), 1, labels)
	m.duration.Record(context.Background(), time.Since(started).Seconds(), labels)
}

// serviceMetrics count what judging takes and yields.
type serviceMetrics struct {
	*decisionMetrics
	authorizations, refusals, unusableHashes metric.Int64Counter
	hashTime, hashWait                       metric.Float64Histogram
	outcomes                                 map[outcome.Outcome]metric.MeasurementOption
}

func newServiceMetrics() *serviceMetrics {
	meter := otel.Meter(meterName)
	m := &serviceMetrics{decisionMetrics: newDecisionMetrics(inRegistry), outcomes: outcomeLabels()}
	m.authorizations, _ = meter.Int64Counter("fairlead.auth.authorizations",
		metric.WithDescription("Gateways judged against the registry, by outcome."))
	m.refusals, _ = meter.Int64Counter("fairlead.auth.refusals",
		metric.WithDescription("Refused log-ins and gateways, by reason."))
	m.unusableHashes, _ = meter.Int64Counter("fairlead.auth.hashes.unusable",
		metric.WithDescription("Comparisons with a stored hash that does not parse or takes too long."))
	m.hashTime, _ = meter.Float64Histogram("fairlead.auth.hash.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to compute a password hash."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5))
	m.hashWait, _ = meter.Float64Histogram("fairlead.auth.hash.wait", metric.WithUnit("s"),
		metric.WithDescription("Time that password hashes waited for their turn, if they had to."),
		metric.WithExplicitBucketBoundaries(.01, .025, .05, .1, .25, .5, 1, 2.5, 5))
	return m
}

func (m *serviceMetrics) authorized(err error) {
	m.authorizations.Add(context.Background(), 1, m.outcomes[outcome.Of(err)])
}

func (m *serviceMetrics) refused(r reason) {
	m.refusals.Add(context.Background(), 1, label("reason", string(r)))
}

func (m *serviceMetrics) unusable() { m.unusableHashes.Add(context.Background(), 1) }

func (m *serviceMetrics) hashed(d time.Duration) {
	m.hashTime.Record(context.Background(), d.Seconds())
}

func (m *serviceMetrics) waited(d time.Duration) {
	m.hashWait.Record(context.Background(), d.Seconds())
}

// cacheMetrics count what the decision cache spares. Hits are kept by the shards and read when metrics are collected,
// so that a hit costs no call.
type cacheMetrics struct {
	events                                  metric.Int64Counter
	miss, stale, evicted, revoked, overload metric.MeasurementOption
}

func newCacheMetrics(hits, entries func() int64) *cacheMetrics {
	meter := otel.Meter(meterName)
	m := &cacheMetrics{
		miss: label("event", "miss"), stale: label("event", "stale"), evicted: label("event", "evicted"),
		revoked: label("event", "revoked"), overload: label("event", "overloaded"),
	}
	m.events, _ = meter.Int64Counter("fairlead.auth.cache.events",
		metric.WithDescription("Decisions that were not in the cache, used beyond their time, displaced, taken back, or not sought for too many others."))
	hit, _ := meter.Int64ObservableCounter("fairlead.auth.cache.hits", metric.WithDescription("Decisions answered from the cache."))
	size, _ := meter.Int64ObservableGauge("fairlead.auth.cache.entries", metric.WithDescription("Decisions in the cache."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(hit, hits())
		o.ObserveInt64(size, entries())
		return nil
	}, hit, size)
	return m
}

func (m *cacheMetrics) count(event metric.MeasurementOption, n int) {
	if n > 0 {
		m.events.Add(context.Background(), int64(n), event)
	}
}

// clientMetrics count requests to the authentication function.
type clientMetrics struct {
	*decisionMetrics
	attempts     metric.Int64Counter
	first, again metric.MeasurementOption
}

func newClientMetrics() *clientMetrics {
	m := &clientMetrics{decisionMetrics: newDecisionMetrics(inFunction), first: label("attempt", "first"), again: label("attempt", "retry")}
	m.attempts, _ = otel.Meter(meterName).Int64Counter("fairlead.auth.client.attempts",
		metric.WithDescription("Requests to the authentication function, first ones and retries."))
	return m
}

// attempt counts the nth attempt of one request, from 0.
func (m *clientMetrics) attempt(n int) {
	if n == 0 {
		m.attempts.Add(context.Background(), 1, m.first)
		return
	}
	m.attempts.Add(context.Background(), 1, m.again)
}

// steadyMetrics count refusals on their way out.
type steadyMetrics struct {
	refusals                    metric.Int64Counter
	delayed, throttled, crowded metric.MeasurementOption
}

func newSteadyMetrics() *steadyMetrics {
	m := &steadyMetrics{delayed: label("kind", "delayed"), throttled: label("kind", "throttled"), crowded: label("kind", "crowded")}
	m.refusals, _ = otel.Meter(meterName).Int64Counter("fairlead.auth.steady.refusals",
		metric.WithDescription("Refusals: delayed to their time, without a look at the credential for too many failures before, or answered as overloaded for too many that wait."))
	return m
}

func (m *steadyMetrics) count(kind metric.MeasurementOption) {
	m.refusals.Add(context.Background(), 1, kind)
}
