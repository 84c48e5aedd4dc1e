package registryfn

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/outcome"
	report "github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/store"
	"github.com/fairlead/fairlead/internal/user"
)

// A refusal is an error with the answer that it is given: a document of the wire contract, or, if the error has no name,
// an empty body.
type refusal struct {
	status   int
	document outcome.Document
	retry    bool // the caller may come back soon
	cause    error
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return r.document.Message + ": " + r.cause.Error()
	}
	return r.document.Message
}

func (r *refusal) Unwrap() error { return r.cause }

// Refusals that are always the same.
var (
	// nothingThere is for what somebody looked at and is not there.
	nothingThere = &refusal{status: http.StatusNotFound}
	// notFound is for what somebody wanted to change, and for what they may not know of.
	notFound = &refusal{status: http.StatusNotFound, document: outcome.Document{Error: "NotFound", Message: "Not found"}}
	// noReference is for a device without an application that its writer may write to.
	noReference = &refusal{status: http.StatusNotFound, document: outcome.Document{Error: "ReferenceNotFound", Message: "Referenced a non-existing entity"}}
	// notPermitted is for what somebody may see and not change, and for the names of applications, which are no secret.
	notPermitted = &refusal{status: http.StatusForbidden, document: outcome.Document{Error: "AuthenticationError", Message: "Not authorized"}}
	// lockFailed is for members that somebody else has changed meanwhile.
	lockFailed = &refusal{status: http.StatusConflict, document: outcome.Document{Error: "OptimisticLockFailed", Message: "Lock failed"}}
	// nameTaken is what the store says of an application that is there.
	nameTaken = conflict("metadata.name: is taken already")
	// topicLeft is for the name of an application whose events are yet to be deleted.
	topicLeft = &refusal{status: http.StatusServiceUnavailable, retry: true, document: outcome.Document{
		Error: "ServiceUnavailable", Message: "The events of an earlier application of that name are still being deleted; try again later",
	}}
	// tooFast is for devices that register, when too many do.
	tooFast = &refusal{status: http.StatusTooManyRequests, document: outcome.Document{Error: "Overloaded", Message: "Too many devices were created within the last minute"}, retry: true}
	// noTags is for conditions that nothing meets.
	noTags = &refusal{status: http.StatusPreconditionFailed, document: outcome.Document{
		Error: "PreconditionFailed", Message: "Documents have no entity tags; say metadata.uid or metadata.resourceVersion in the body",
	}}
	// full is for changes that could not be told.
	full = &refusal{status: http.StatusServiceUnavailable, document: outcome.Document{Error: "Overloaded", Message: "Too many changes wait to be told; try again later"}, retry: true}
)

func badRequest(text string) *refusal {
	return &refusal{status: http.StatusBadRequest, document: outcome.Document{Error: "BadRequest", Message: "Bad request: " + text}}
}

func invalidRequest(text string) *refusal {
	return &refusal{status: http.StatusBadRequest, document: outcome.Document{Error: "InvalidRequest", Message: "Invalid request: " + text}}
}

func conflict(text string) *refusal {
	return &refusal{status: http.StatusConflict, document: outcome.Document{Error: "Conflict", Message: "Conflict: " + text}}
}

func tooLarge(text string) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, document: outcome.Document{Error: "PayloadTooLarge", Message: text}}
}

func wrongType(text string) *refusal {
	return &refusal{status: http.StatusUnsupportedMediaType, document: outcome.Document{Error: "UnsupportedMediaType", Message: text}}
}

// databaseAway is for everything that the store could not do.
func databaseAway(cause error) *refusal {
	return &refusal{
		status:   http.StatusServiceUnavailable,
		document: outcome.Document{Error: "DatabaseError", Message: "Database error: the registry cannot be reached"},
		retry:    true,
		cause:    cause,
	}
}

// userError is an error of internal/user, which has answers of its own.
type userError struct{ error }

func unauthenticated(err error) error { return userError{err} }

// refusalOf gives an error of an operation its answer.
func refusalOf(err error) *refusal {
	var known *refusal
	var field *store.FieldError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &field) && errors.Is(err, store.ErrConflict):
		return conflict(field.Text)
	case errors.As(err, &field):
		return badRequest(field.Text)
	case errors.Is(err, store.ErrExpectation):
		return conflict("the resource is another one, or in another version, than metadata.uid or metadata.resourceVersion say")
	case errors.Is(err, registry.ErrNotFound):
		return notFound
	default:
		return databaseAway(err)
	}
}

// refuse answers with an error.
func (h *Handler) refuse(c *call, err error) {
	var of userError
	if errors.As(err, &of) {
		c.status = outcome.Of(of.error).HTTP()
		h.report(c, outcome.ResultOf(of.error))
		user.WriteHTTP(c.w, of.error)
		return
	}
	r := refusalOf(err)
	c.status = r.status
	if r.status == http.StatusForbidden {
		h.report(c, outcome.Result{Outcome: outcome.Forbidden, Reason: r.document.Message})
	}
	if r.cause != nil && !errors.Is(err, context.Canceled) {
		h.Log.Warn("a request to the registry could not be served", zap.Error(r.cause))
	}
	if r.retry {
		c.w.Header().Set("Retry-After", strconv.Itoa(outcome.RetryAfter))
	}
	if r.document.Error == "" {
		c.w.Header().Set("Content-Length", "0")
		c.w.WriteHeader(r.status)
		return
	}
	outcome.WriteDocument(c.w, r.status, r.document)
}

// report reports a log-in that is not taken, or what a caller may not do. What a caller may not know of looks like what is not
// there, and is not reported.
func (h *Handler) report(c *call, r outcome.Result) {
	h.Refusals.Report(report.Report{
		Protocol: report.API, Where: c.r.Method + " " + c.r.URL.EscapedPath(), Device: c.caller.Name, Remote: endpoint.Remote(c.r),
		Outcome: r.Outcome, Answer: strconv.Itoa(c.status), Reason: report.Explain(r),
	})
}
