package sink

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
)

// Pauses between attempts.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// leastAttempt is how long an attempt lasts at least before it is given up. One that is cut off while the sink is taking the event
// would let the next event of the same sender overtake it: after an outage, the time of all that wait ends one after the other.
const leastAttempt = time.Second

// errOverdue is what becomes of an event whose time is over.
var errOverdue = errors.New("no acknowledgement within the delivery timeout")

// send tries until the sink has taken the event, will never take it, or its time is over; the last attempt may take a second more.
func (w *Writer) send(one *write) error {
	deadline := one.started.Add(w.config.DeliveryTimeout)
	ctx, cancel := context.WithDeadline(w.alive, deadline)
	defer cancel()
	pauses := backoff.New(firstPause, longestPause)
	last := errOverdue
	for {
		r, err := w.sender.post(w.alive, deadline, one.record)
		if err == nil && r.ok() {
			return nil
		}
		if err == nil {
			err = r
			w.log.Warn("the sink did not take an event", zap.Int("status", r.status))
		} else if ctx.Err() == nil {
			w.log.Warn("the sink cannot be reached", zap.Error(err))
		}
		if ctx.Err() != nil {
			return overdue(last)
		}
		last = err
		if !r.again() {
			return verdict(r)
		}
		w.metrics.again()
		if !backoff.Wait(ctx, max(pauses.Next(), r.after)) {
			return overdue(last)
		}
	}
}

// A response is what a sink said; the zero response is none. It is an error unless it is 2xx.
type response struct {
	status int
	after  time.Duration // Retry-After
}

func (r response) Error() string { return fmt.Sprintf("the sink answered %d", r.status) }

func (r response) ok() bool { return r.status >= 200 && r.status < 300 }

// again tells whether another attempt makes sense, as Knative decides it.
func (r response) again() bool {
	switch r.status {
	case 0, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return r.status >= http.StatusInternalServerError
}

// verdict gives an answer that is final its outcome. Only 413 and 422 say something about the event itself. Whatever else is refused
// may be accepted once the operator has mended the sink or its address, and must not be acknowledged as something that never can.
func verdict(r response) error {
	switch r.status {
	case http.StatusRequestEntityTooLarge:
		return outcome.Wrap(outcome.TooLarge, "the message is larger than the sink accepts", r)
	case http.StatusUnprocessableEntity:
		return outcome.Wrap(outcome.Rejected, "the sink does not take the message", r)
	default:
		return outcome.Wrap(outcome.Unavailable, "the message could not be stored", r)
	}
}

// overdue is the answer when the time of an event is over; last is why the last attempt failed.
func overdue(last error) error {
	if r, ok := errors.AsType[response](last); ok && r.status == http.StatusTooManyRequests {
		return outcome.Wrap(outcome.Overloaded, "the sink takes no more for now", r)
	}
	return outcome.Wrap(outcome.Unavailable, "the sink did not take the message in time", last)
}
