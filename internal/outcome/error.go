package outcome

import (
	"context"
	"errors"
)

// An Error is an outcome other than success on its way up. Reason is meant for the sender and holds nothing secret and
// nothing about other tenants; Err is the cause for the log.
type Error struct {
	Outcome Outcome
	Reason  string
	Err     error
}

// New makes an error without a cause. The reason is taken as it is, without formatting, so that no value slips in.
func New(o Outcome, reason string) *Error { return &Error{Outcome: o, Reason: reason} }

// Wrap gives an error an outcome and, for the sender, a reason. The cause stays out of what the sender is told.
func Wrap(o Outcome, reason string, err error) *Error {
	return &Error{Outcome: o, Reason: reason, Err: err}
}

func (e *Error) Error() string {
	text := e.Outcome.String()
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Of tells the outcome of an error: Accepted for nil, what an *Error in the chain says, Unavailable for an expired or
// cancelled context, and Internal for everything else.
func Of(err error) Outcome {
	if err == nil {
		return Accepted
	}
	var known *Error
	if errors.As(err, &known) {
		return known.Outcome
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Unavailable
	}
	return Internal
}

// A Result is an outcome with the reason that the sender may read. It travels through callbacks, by value.
type Result struct {
	Outcome Outcome
	Reason  string
	// Err is the cause for the log. It is nil for success and never shown to the sender.
	Err error
}

// ResultOf turns an error into a Result; nil is Accepted.
func ResultOf(err error) Result {
	if err == nil {
		return Result{Outcome: Accepted}
	}
	return resultOf(err)
}

func resultOf(err error) Result {
	var known *Error
	if errors.As(err, &known) {
		return Result{Outcome: known.Outcome, Reason: known.Reason, Err: err}
	}
	return Result{Outcome: Of(err), Err: err}
}
