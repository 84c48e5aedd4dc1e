package presence

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fairlead/fairlead/internal/outcome"
)

// metrics count sessions and their events. No label holds a name of the registry.
type metrics struct {
	claims    metric.Int64Counter
	takeovers metric.Int64Counter
	losses    metric.Int64Counter
	queued    metric.Int64Counter
	events    metric.Int64Counter
	delay     metric.Float64Histogram
	deaths    metric.Int64Counter
	releases  metric.Int64Counter
	failures  metric.Int64Counter
	outcomes  map[outcome.Outcome]metric.MeasurementOption
}

// What becomes of an attempt to store an event, the values of the label "result".
const (
	storedEvent     = "stored"
	delayedEvent    = "delayed"    // it is tried again later
	refusedEvent    = "refused"    // by the pipeline, for good
	expiredEvent    = "expired"    // given up for its age
	unreadableEvent = "unreadable" // given up, of another release
	collapsedEvent  = "collapsed"  // gave way in an outbox that was full
)

// What fails, the values of the label "of".
const (
	failedHeartbeat    = "heartbeat"
	failedRedis        = "redis" // everything else that is asked of it
	failedSubscription = "subscription"
	failedMessage      = "message" // not understood
	failedLife         = "life"    // this process was declared dead and goes on under another name
	failedMemory       = "memory"  // Redis has lost what it knew of this process
)

func newMetrics(sessions, waiting func() int64) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/presence")
	m := &metrics{outcomes: map[outcome.Outcome]metric.MeasurementOption{}}
	count := func(name, description string) metric.Int64Counter {
		counter, _ := meter.Int64Counter("fairlead.presence."+name, metric.WithDescription(description))
		return counter
	}
	m.claims = count("claims", "Sessions that asked for their device, by outcome.")
	m.takeovers = count("takeovers", "Sessions that took their device over from another.")
	m.losses = count("losses", "Sessions of this process that lost their device to another, or were declared over.")
	m.queued = count("events.queued", "Connection events and wills that were put into an outbox by this process, by event.")
	m.events = count("events", "Connection events and wills that this process was to store, by what became of them.")
	m.deaths = count("deaths", "Other processes that this process declared dead.")
	m.deaths.Add(context.Background(), 0) // so that the first one is an increase, of which an alert tells
	m.releases = count("releases", "Devices of dead processes that this process released.")
	m.failures = count("failures", "Failures of Redis and of what it keeps.")
	m.delay, _ = meter.Float64Histogram("fairlead.presence.events.delay", metric.WithUnit("s"),
		metric.WithDescription("Time from a connection event or will to its being stored."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400))
	held, _ := meter.Int64ObservableGauge("fairlead.presence.sessions", metric.WithDescription("Sessions that this process holds."))
	queues, _ := meter.Int64ObservableGauge("fairlead.presence.waiting",
		metric.WithDescription("Devices, of all processes, with events that wait to be stored."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(held, sessions())
		o.ObserveInt64(queues, waiting())
		return nil
	}, held, queues)
	for _, o := range outcome.All() {
		m.outcomes[o] = label("outcome", o.String())
	}
	return m
}

func label(key, value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(key, value)))
}

func add(counter metric.Int64Counter, n int, options ...metric.AddOption) {
	if n > 0 {
		counter.Add(context.Background(), int64(n), options...)
	}
}

func (m *metrics) claim(err error) { add(m.claims, 1, m.outcomes[outcome.Of(err)]) }

// took counts what a claim has queued.
func (m *metrics) took(c claimed) {
	add(m.events, c.gone, label("result", collapsedEvent))
	if c.queued == 0 {
		return
	}
	add(m.queued, 1, label("event", "connected"))
	if c.previous != "" {
		add(m.takeovers, 1)
		m.over(c.queued - 1)
	}
}

// end counts what the end of a session has queued.
func (m *metrics) end(c change) {
	add(m.events, c.gone, label("result", collapsedEvent))
	m.over(c.queued)
}

// over counts the last events of a session: the one of the connection, and a will before it.
func (m *metrics) over(events int) {
	if events > 0 {
		add(m.queued, 1, label("event", "disconnected"))
		add(m.queued, events-1, label("event", "will"))
	}
}

// resume counts what was queued once more.
func (m *metrics) resume(c change) {
	add(m.events, c.gone, label("result", collapsedEvent))
	add(m.queued, c.queued, label("event", "connected"))
}

func (m *metrics) event(result string) { add(m.events, 1, label("result", result)) }

func (m *metrics) stored(e *entry) {
	m.event(storedEvent)
	m.delay.Record(context.Background(), time.Since(e.time).Seconds())
}

func (m *metrics) lose()             { add(m.losses, 1) }
func (m *metrics) bury()             { add(m.deaths, 1) }
func (m *metrics) release(n int)     { add(m.releases, n) }
func (m *metrics) failure(of string) { add(m.failures, 1, label("of", of)) }
