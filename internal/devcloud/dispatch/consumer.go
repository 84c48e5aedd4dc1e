package dispatch

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/triggers"
)

// unorderedLimit is how many events of one partition are on their way at once with unordered delivery.
const unorderedLimit = 32

// A consumer delivers the records of one subscription.
type consumer struct {
	subscription Subscription
	deps         *dependencies
	logger       *slog.Logger
	stream       *stream.Consumer
	counts       counts

	mu           sync.Mutex
	failingSides map[string]bool // what was said to fail
}

func newConsumer(subscription Subscription, deps *dependencies) *consumer {
	c := &consumer{
		subscription: subscription, deps: deps, failingSides: map[string]bool{},
		logger: deps.logger.With("trigger", subscription.Name),
	}
	limit := unorderedLimit
	if subscription.Policy.Ordered {
		limit = 1
	}
	c.stream = deps.cluster.NewConsumer(stream.Options{
		Topic: subscription.Topic, Group: subscription.Group, Limit: limit, Logger: c.logger,
		Handler: func(ctx context.Context, d *stream.Delivery) { go c.handle(ctx, d) },
	})
	return c
}

// handle delivers one record.
func (c *consumer) handle(ctx context.Context, d *stream.Delivery) {
	way := delivery{
		subscription: &c.subscription,
		sender:       c.deps.sender,
		produce:      c.deps.produce,
		metrics:      c.deps.metrics,
		counts:       &c.counts,
		stopping:     d.Stopping(),
		failing:      c.failing,
		working:      c.working,
	}
	report, err := way.run(ctx, d.Record)
	if err != nil {
		d.Abandon()
		return
	}
	c.counts.add(report.Result)
	c.deps.metrics.finished(ctx, report.Result)
	c.tell(d.Record, report)
	d.Done()
}

// failing says once that a side fails and is tried again, until it works again.
func (c *consumer) failing(side string, err error, retries int) {
	c.mu.Lock()
	told := c.failingSides[side]
	c.failingSides[side] = true
	c.mu.Unlock()
	if !told {
		c.logger.Warn("a delivery failed and is tried again", "error", err.Error(), "retries", retries)
	}
}

func (c *consumer) working(side string) {
	c.mu.Lock()
	told := c.failingSides[side]
	delete(c.failingSides, side)
	c.mu.Unlock()
	if told {
		c.logger.Info(side + " takes events again")
	}
}

// tell logs what an operator has to know, without any payload, and informs the observer.
func (c *consumer) tell(record *kgo.Record, report Report) {
	where := []any{"partition", record.Partition, "offset", record.Offset}
	switch report.Result {
	case Lost:
		c.logger.Error("event lost", "id", report.event.ID(), "attempts", report.Attempts, "error", report.Err)
	case DeadLettered:
		c.logger.Warn("event went to the dead letter sink", "id", report.event.ID(), "attempts", report.Attempts, "error", report.Err)
	case Invalid:
		c.logger.Warn("skipped a record that is not a CloudEvent", append(where, "error", report.Err)...)
	case Filtered:
		if report.Err != nil {
			c.logger.Warn("threw an event away, as the Kafka dispatcher does", append(where, "error", report.Err)...)
		}
	case Delivered:
		if name := unfit(report.event); name != "" {
			c.logger.Warn("delivered an event that the Kafka dispatcher throws away: an attribute has control characters", append(where, "attribute", name)...)
		}
	}
	if c.deps.observe == nil {
		return
	}
	if report.event != nil {
		shown := report.event.SDK()
		report.Event = &shown
	}
	c.deps.observe(report)
}

// unfit names an attribute whose text cannot stand in a header as it is; "" if there is none.
func unfit(event *triggers.Event) (found string) {
	event.Attributes(func(name, text string) {
		if strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0 {
			found = name
		}
	})
	return found
}

func (c *consumer) status() Status {
	at := c.stream.Status()
	s := Status{
		Subscription: c.subscription.Name, Application: c.subscription.Application, Topic: c.subscription.Topic,
		Group: c.subscription.Group, State: at.State, Reason: at.Reason, Lag: at.Lag,
	}
	c.counts.fill(&s)
	return s
}
