package outcome

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// RetryAfter is the number of seconds that an HTTP sender is asked to wait after 503 (Retry-After, RFC 9110 section
// 10.2.3), and the Max-Age of a CoAP 5.03.
const RetryAfter = 2

// A Document is the JSON body of an HTTP error: a numeric code that repeats the status, a stable name, and a text for
// people. The code is left out where the wire contract has the two-field form.
type Document struct {
	Code    int    `json:"code,omitempty"`
	Error   string `json:"error"`
	Message string `json:"message"`
}

// WriteHTTP answers a publish: an empty body for success and overload; else a JSON document in the form of the wire
// contract, which says why.
func WriteHTTP(w http.ResponseWriter, r Result) {
	status := r.Outcome.HTTP()
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(RetryAfter))
	}
	document, ok := httpDocument(r)
	if !ok {
		w.WriteHeader(status)
		return
	}
	WriteDocument(w, status, document)
}

// WriteAuthenticationHTTP answers a log-in that did not succeed. When no decision can be had it says so in the document
// that the wire contract has for that.
func WriteAuthenticationHTTP(w http.ResponseWriter, r Result) {
	if r.Outcome != Unavailable && r.Outcome != Overloaded && r.Outcome != Internal {
		WriteHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(RetryAfter))
	WriteDocument(w, http.StatusServiceUnavailable, Document{
		Code:    http.StatusServiceUnavailable,
		Error:   "AuthenticationServiceError",
		Message: "Failed to authenticate: " + orUnknown(r.Reason),
	})
}

// WriteDocument answers with an error document of its own, for refusals that are particular to one adapter.
func WriteDocument(w http.ResponseWriter, status int, document Document) {
	body, err := json.Marshal(document)
	if err != nil {
		w.WriteHeader(status)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func httpDocument(r Result) (Document, bool) {
	switch r.Outcome {
	case Unauthenticated, Forbidden:
		return Document{Code: http.StatusForbidden, Error: "AuthenticationError", Message: "Authentication failed"}, true
	case Invalid:
		return Document{Code: http.StatusBadRequest, Error: "InvalidRequest", Message: "Invalid data: " + orUnknown(r.Reason)}, true
	case Rejected:
		return Document{Code: http.StatusNotAcceptable, Error: "Rejected", Message: orUnknown(r.Reason)}, true
	case Unsupported:
		return Document{Code: http.StatusUnsupportedMediaType, Error: "UnsupportedMediaType", Message: orUnknown(r.Reason)}, true
	case TooLarge:
		return Document{Code: http.StatusRequestEntityTooLarge, Error: "PayloadTooLarge", Message: orUnknown(r.Reason)}, true
	case Unavailable:
		return Document{Code: http.StatusServiceUnavailable, Error: "ServiceUnavailable", Message: orUnknown(r.Reason)}, true
	case Internal:
		return Document{Error: "InternalError", Message: "The message could not be stored"}, true
	default:
		return Document{}, false
	}
}

func orUnknown(reason string) string {
	if reason == "" {
		return "no reason given"
	}
	return reason
}
