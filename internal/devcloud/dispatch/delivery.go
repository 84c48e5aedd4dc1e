package dispatch

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/stream"
	"github.com/fairlead/fairlead/triggers"
)

// What Knative adds to a dead letter (Knative Eventing data plane specification, "Error Extension Attributes").
const (
	ExtensionErrorDest = "knativeerrordest" // URL of the subscriber
	ExtensionErrorCode = "knativeerrorcode" // status of its last answer; absent if there was none
	ExtensionErrorData = "knativeerrordata" // begin of the body of that, in base64

	maxErrorData = 1024 // bytes of the response body, before base64
	errorHeader  = "kne-"
)

// ErrInterrupted says that a delivery was given up because of a stop. Nobody knows whether the subscriber has the event.
var ErrInterrupted = errors.New("interrupted")

// A delivery is the way of one record to one subscription.
type delivery struct {
	subscription *Subscription
	sender       *sender
	produce      func(context.Context, *kgo.Record) error // nil: replies are not wanted
	metrics      *metrics
	counts       *counts
	stopping     <-chan struct{} // closed: begin nothing new
	failing      func(side string, err error, retries int)
	working      func(side string)
	traceParent  string
}

// Who answers, in messages.
const (
	theSubscriber = "the subscriber"
	theSink       = "the dead letter sink"
)

// run filters and delivers one record. The context ends requests on their way. It returns ErrInterrupted when neither
// delivery nor dead letter came to an end.
func (d *delivery) run(ctx context.Context, record *kgo.Record) (Report, error) {
	begin := time.Now()
	report := Report{Subscription: d.subscription.Name, Application: d.subscription.Application}
	event, err := Decode(record)
	if err != nil {
		report.Result, report.Err = Invalid, err
		return report, nil
	}
	report.event = event
	if d.subscription.Filter != nil {
		if ok, err := d.subscription.Filter.Select(event); !ok {
			report.Result, report.Err = Filtered, err
			return report, nil
		}
	}
	if trace := stream.TraceParent(record); len(trace) == traceParentLength {
		d.traceParent = trace
	}
	err = d.deliver(ctx, &report, event)
	report.Elapsed = time.Since(begin)
	return report, err
}

// traceParentLength is the length of a traceparent of version 00 (W3C Trace Context, section 3.2).
const traceParentLength = 55

func (d *delivery) deliver(ctx context.Context, report *Report, event *triggers.Event) error {
	first := d.send(ctx, theSubscriber, d.subscription.Subscriber, event)
	report.Attempts, report.Status, report.Err = first.attempts, first.status(), on(theSubscriber, first.err)
	if first.err == nil {
		report.Result = Delivered
		return nil
	}
	if errors.Is(first.err, ErrInterrupted) {
		return ErrInterrupted
	}
	report.Result = Lost
	if d.subscription.DeadLetter == "" {
		return nil
	}
	second := d.send(ctx, theSink, d.subscription.DeadLetter, withError(event, d.subscription.Subscriber, first.response))
	if errors.Is(second.err, ErrInterrupted) {
		return ErrInterrupted
	}
	if second.err == nil {
		report.Result = DeadLettered
		return nil
	}
	report.Err = fmt.Errorf("%w; %w", report.Err, on(theSink, second.err))
	return nil
}

// on says whose failure an error is.
func on(side string, err error) error {
	if err == nil {
		return nil
	}
	var status statusError
	if errors.As(err, &status) {
		return fmt.Errorf("%s answered %w", side, err)
	}
	return fmt.Errorf("%s: %w", side, err)
}

// An ending is how the attempts at one target ended.
type ending struct {
	attempts int
	response *response // of a refusal; nil if there was none, or if it was a success with an unusable reply
	err      error     // nil: delivered
}

func (e *ending) status() int {
	if e.response == nil {
		return 0
	}
	return e.response.status
}

// statusError is a final or retried refusal.
type statusError int

func (s statusError) Error() string { return "status " + strconv.Itoa(int(s)) }

// errNoDelay is what becomes of a retry without a delay: the Kafka dispatcher cannot wait for no time, and gives up.
var errNoDelay = errors.New("with a backoffDelay of 0 nothing is tried again")

// send tries until the target accepts or the policy is at its end, then passes a reply on. A reply that cannot be used
// is a failure which is not tried again.
func (d *delivery) send(ctx context.Context, side, target string, event *triggers.Event) ending {
	policy := d.subscription.Policy
	for retry := 0; ; retry++ {
		if retry > 0 {
			d.counts.retried.Add(1)
			if !d.wait(ctx, policy.Backoff(retry)) {
				return ending{attempts: retry, err: ErrInterrupted}
			}
		}
		r, err := d.attempt(ctx, target, event)
		if err == nil && r.ok() {
			d.working(side)
			return ending{attempts: retry + 1, response: r, err: d.reply(ctx, event, r)}.withoutRefusal()
		}
		if err != nil && ctx.Err() != nil {
			return ending{attempts: retry + 1, err: ErrInterrupted}
		}
		again := err != nil || triggers.Retryable(r.status)
		if err == nil {
			err = statusError(r.status)
		}
		if !again || retry >= policy.Retries {
			return ending{attempts: retry + 1, response: r, err: err}
		}
		if policy.BackoffDelay <= 0 {
			return ending{attempts: retry + 1, err: fmt.Errorf("%w; %w", err, errNoDelay)}
		}
		d.failing(side, on(side, err), policy.Retries)
	}
}

// withoutRefusal forgets the response of a success whose reply could not be used: a dead letter then tells only the
// destination, as in the Kafka dispatcher.
func (e ending) withoutRefusal() ending {
	if e.err != nil {
		e.response = nil
	}
	return e
}

func (d *delivery) attempt(ctx context.Context, target string, event *triggers.Event) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.subscription.Policy.Timeout, triggers.DefaultTimeout))
	defer cancel()
	begin := time.Now()
	r, err := d.sender.post(ctx, &call{
		target: target, namespace: d.subscription.namespace(), event: event, traceParent: d.traceParent, noReply: d.produce == nil,
	})
	d.metrics.attempted(ctx, r, time.Since(begin))
	return r, err
}

// wait tells whether the time passed without a stop.
func (d *delivery) wait(ctx context.Context, backoff time.Duration) bool {
	timer := time.NewTimer(backoff)
	defer timer.Stop()
	select {
	case <-d.stopping:
		return false
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// reply puts the CloudEvent of a response, if there is one, into the topic. Without a producer, responses are not looked at.
func (d *delivery) reply(ctx context.Context, cause *triggers.Event, r *response) error {
	if d.produce == nil {
		return nil
	}
	event, err := readReply(r)
	if err != nil || event == nil {
		return err
	}
	n := hops(cause) + 1
	if n > MaxHops {
		d.counts.loops.Add(1)
		d.metrics.replied(ctx, "loop")
		return nil
	}
	if err := event.SetExtension(extensionHops, strconv.Itoa(n)); err != nil {
		return errNotAnEvent
	}
	if err := d.produce(ctx, Encode(d.subscription.Topic, event)); err != nil {
		if ctx.Err() != nil {
			return ErrInterrupted
		}
		return errors.New("the reply could not be stored")
	}
	d.counts.replies.Add(1)
	d.metrics.replied(ctx, "stored")
	return nil
}

// withError is the event as the dead letter sink gets it. Without a response only the destination is known, which is
// named without its credentials.
func withError(event *triggers.Event, destination string, r *response) *triggers.Event {
	letter := event.Clone()
	letter.Upgrade()
	set := func(name, value string) {
		// A name that no extension can have is left out.
		_ = letter.SetExtension(name, value)
	}
	set(ExtensionErrorDest, withoutCredentials(destination))
	if r == nil {
		return letter
	}
	set(ExtensionErrorCode, strconv.Itoa(r.status))
	deadLetterHeaders(r.header, set)
	if len(r.body) > 0 {
		set(ExtensionErrorData, base64.StdEncoding.EncodeToString(r.body[:min(len(r.body), maxErrorData)]))
	}
	return letter
}
