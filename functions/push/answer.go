package push

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode"

	"github.com/fairlead/fairlead/internal/outbound"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// An answer is what a Trigger gets. To Knative 404, 408, 409, 429 and everything from 500 mean that it shall try again, every other
// status that it shall not: the event goes to the dead letter sink at once, with the status and the text.
type answer struct {
	status int
	after  string // Retry-After; "" for none
	result string // for metrics
	reason string // for the operator and for the dead letter
	quote  string // of what the endpoint said, for the dead letter only
}

// maxQuote bounds what a dead letter holds of what the endpoint said, in bytes. Knative keeps 1024 of the whole text.
const maxQuote = 512

// delivered is without a body: to Knative one that is no event would be a failure, and one that is would become an event of the
// application.
var delivered = answer{status: http.StatusAccepted, result: "delivered"}

// nowhere is tried again: an endpoint may have been named just now, and not be known here yet.
func nowhere(err error) answer {
	return answer{status: http.StatusNotFound, result: "no_endpoint", reason: err.Error()}
}

// unusable is not tried again: somebody has to change the application.
func unusable(err error) answer {
	return answer{status: http.StatusUnprocessableEntity, result: "invalid_endpoint", reason: err.Error()}
}

func unavailable(reason string) answer {
	return answer{status: http.StatusServiceUnavailable, after: strconv.Itoa(outcome.RetryAfter), result: "unavailable", reason: reason}
}

// responded is the answer when the endpoint has responded.
func responded(r *outbound.Response, e *registry.ExternalEndpoint) answer {
	reason := fmt.Sprintf("the endpoint answered %d %s", r.Status, http.StatusText(r.Status))
	a := answer{status: r.Status, after: retryAfter(r.Header), reason: reason, quote: quote(r.Body, e)}
	switch {
	case r.OK():
		return delivered
	case r.Status < 400:
		a.status, a.result = http.StatusUnprocessableEntity, "redirect"
		a.reason += ", and redirects are not followed"
	case r.Status < 500:
		a.result = "endpoint_4xx"
	case r.Status < 600:
		a.result = "endpoint_5xx"
	default:
		a.status, a.result = http.StatusBadGateway, "endpoint_5xx"
	}
	return a
}

// silent is the answer when there is no response.
func silent(err error) answer {
	failed, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return answer{status: http.StatusBadGateway, result: string(outbound.Failed), reason: "the endpoint cannot be reached"}
	}
	a := answer{result: string(failed.Kind), reason: failed.Error()}
	switch failed.Kind {
	case outbound.Refused:
		a.status = http.StatusForbidden
	case outbound.Invalid:
		return unusable(err)
	case outbound.Busy, outbound.Paused:
		a.status, a.after = http.StatusServiceUnavailable, seconds(failed.After)
	case outbound.TimeOut:
		a.status = http.StatusGatewayTimeout
	default:
		a.status = http.StatusBadGateway
	}
	return a
}

// seconds is a duration as Retry-After has it, at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d + time.Second - 1).Seconds())))
}

// retryAfter is what the endpoint says of when to come back, if it is a number of seconds or a date (RFC 9110 section 10.2.3).
func retryAfter(h http.Header) string {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil && n >= 0 {
		return text
	}
	if _, err := http.ParseTime(text); err == nil {
		return text
	}
	return ""
}

// quote is the beginning of a text that an endpoint said; "" if it repeats the endpoint's credentials.
func quote(body []byte, e *registry.ExternalEndpoint) string {
	for _, secret := range secrets(e) {
		if bytes.Contains(body, []byte(secret)) {
			return ""
		}
	}
	return string(bytes.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, body[:min(len(body), maxQuote)]))
}

// secrets are what must not be repeated of an endpoint.
func secrets(e *registry.ExternalEndpoint) (all []string) {
	if basic := e.Auth.Basic; basic != nil && basic.Password != "" {
		all = append(all, basic.Password, base64.StdEncoding.EncodeToString([]byte(basic.Username+":"+basic.Password)))
	}
	if e.Auth.Bearer != nil {
		all = append(all, e.Auth.Bearer.Token)
	}
	for _, h := range e.Headers {
		if h.Value != "" {
			all = append(all, h.Value)
		}
	}
	return all
}

// write answers the Trigger.
func (a answer) write(w http.ResponseWriter) {
	if a.after != "" {
		w.Header().Set("Retry-After", a.after)
	}
	if a.reason == "" {
		w.WriteHeader(a.status)
		return
	}
	text := a.reason
	if a.quote != "" {
		text += ": " + a.quote
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(text)) // who is not there any longer gets no text
}
