package command

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	commands "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/endpoint"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/internal/user"
)

// errHidden is for an application that is not there, and for one with which the caller may not do that.
var errHidden = errors.New("the application is not there, or the caller may not send commands to its devices")

// A loginError is an error of internal/user, which has answers of its own.
type loginError struct{ error }

func (e loginError) Unwrap() error { return e.error }

// sent is what became of a request.
type sent struct {
	application, device, name string // as in the request
	result                    Result
	err                       error
}

func (s sent) failed(err error) sent {
	s.err = err
	return s
}

// answer answers, counts, and writes the line for the log.
func (h *Handler) answer(c *call, s sent) {
	label := string(s.result.summary())
	switch {
	case errors.Is(s.err, errHidden):
		label = "hidden"
	case s.err != nil:
		label = outcome.Of(s.err).String()
	case s.result.External:
		label = "external"
	}
	h.metrics.answered(c.r.Context(), c.ofTrigger, label)
	status := h.write(c, &s)
	h.audit(c, &s, label, status)
}

// write answers a request, and tells with which status.
func (h *Handler) write(c *call, s *sent) int {
	var login loginError
	switch {
	case s.err == nil:
		return writeResult(c, &s.result)
	case errors.As(s.err, &login):
		user.WriteHTTP(c.w, login.error)
		return outcome.Of(login.error).HTTP()
	case errors.Is(s.err, errHidden):
		outcome.WriteDocument(c.w, http.StatusNotFound, outcome.Document{
			Error: "NotFound", Message: "Resource not found: Application / " + s.application,
		})
		return http.StatusNotFound
	}
	r := outcome.ResultOf(s.err)
	if r.Outcome == outcome.Rejected && !acceptsJSON(c.r) {
		c.w.WriteHeader(http.StatusNotAcceptable)
		return http.StatusNotAcceptable
	}
	outcome.WriteHTTP(c.w, r)
	return r.Outcome.HTTP()
}

// writeResult says what was reached in a header, and to who accepts JSON in full.
func writeResult(c *call, r *Result) int {
	c.w.Header().Set(commands.HeaderReached, strconv.Itoa(r.Reached))
	if r.Awaited != "" {
		c.w.Header().Set(commands.HeaderAwaited, event.HeaderValue(r.Awaited))
	}
	switch {
	case r.Answer != nil:
		return writeAnswer(c, r.Answer)
	case r.Asked:
		return writeNoAnswer(c, r)
	}
	status := http.StatusAccepted
	if r.External {
		status = http.StatusOK
	}
	body, err := json.Marshal(r)
	if c.ofTrigger || err != nil || !acceptsJSON(c.r) {
		c.w.WriteHeader(status)
		return status
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // who is not there any longer gets no body
	return status
}

// writeAnswer passes on what the device has answered. Without a content type of its own it has none: nobody shall guess one.
func writeAnswer(c *call, a *commands.Answer) int {
	header := c.w.Header()
	header["Content-Type"] = nil
	if a.ContentType != "" {
		header.Set("Content-Type", a.ContentType)
	}
	header.Set("X-Content-Type-Options", "nosniff") // what a device says is no page of ours
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(a.Payload)
	return http.StatusOK
}

// writeNoAnswer says that the device has not answered in time, and what was reached.
func writeNoAnswer(c *call, r *Result) int {
	body, err := json.Marshal(struct {
		Code    int    `json:"code"`
		Error   string `json:"error"`
		Message string `json:"message"`
		*Result
	}{http.StatusGatewayTimeout, "NoAnswer", noAnswer(r), r})
	if err != nil {
		c.w.WriteHeader(http.StatusGatewayTimeout)
		return http.StatusGatewayTimeout
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusGatewayTimeout)
	_, _ = c.w.Write(body)
	return http.StatusGatewayTimeout
}

func noAnswer(r *Result) string {
	switch {
	case r.External:
		return "an endpoint outside has taken the command, and does not answer"
	case !r.handed():
		return "nobody took the command"
	default:
		return "the device did not answer in time"
	}
}

// acceptsJSON tells whether the caller asks for JSON by name. The wire contract has no bodies, so that */* is not enough.
func acceptsJSON(r *http.Request) bool {
	for _, field := range r.Header.Values("Accept") {
		for kind := range strings.SplitSeq(field, ",") {
			kind, _, _ = strings.Cut(kind, ";")
			if strings.EqualFold(strings.TrimSpace(kind), "application/json") {
				return true
			}
		}
	}
	return false
}

// audit writes one line for each command of a caller who may send it, and reports the others. No payload is in it.
func (h *Handler) audit(c *call, s *sent, label string, status int) {
	name := ""
	if c.caller != nil {
		name = c.caller.Name
	}
	r := outcome.ResultOf(s.err)
	if errors.Is(s.err, errHidden) {
		r = outcome.Result{Outcome: outcome.Forbidden, Reason: errHidden.Error()}
	}
	if r.Outcome == outcome.Unauthenticated || r.Outcome == outcome.Forbidden {
		h.refusals.Report(refusal.Report{
			Protocol: refusal.API, Where: c.r.Method + " " + c.r.URL.EscapedPath(), Device: name, Remote: endpoint.Remote(c.r),
			Outcome: r.Outcome, Answer: strconv.Itoa(status), Reason: refusal.Explain(r),
		})
		return
	}
	fields := []zap.Field{
		zap.String("user", name), zap.Bool("trigger", c.ofTrigger), zap.String("application", bounded(s.application)),
		zap.String("device", bounded(s.device)), zap.String("command", bounded(s.name)), zap.String("outcome", label),
		zap.Int("reached", s.result.Reached), zap.Int("status", status),
	}
	if s.err != nil {
		fields = append(fields, zap.Error(s.err))
	}
	h.log.Info("command", fields...)
}

// bounded bounds what a log line holds of a name.
func bounded(name string) string { return name[:min(len(name), 255)] }
