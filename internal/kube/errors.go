package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrNoKind says that the cluster does not know a kind: what brings it is not installed.
var ErrNoKind = errors.New("is not known to the cluster; install what brings it")

// A StatusError is an answer of the API server other than success.
type StatusError struct {
	Code    int    // of HTTP
	Reason  string // one word, such as Invalid or Forbidden; may be ""
	Message string // for people; names the object and, of one that is not valid, the field
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the API server answers %d: %s", e.Code, e.Message)
}

// maxMessage bounds what is kept of a message, in bytes.
const maxMessage = 1024

// statusError reads the answer of an API server.
func statusError(code int, body []byte) *StatusError {
	var status struct{ Reason, Message string }
	if json.Unmarshal(body, &status) != nil || status.Message == "" {
		status.Message = strings.TrimSpace(string(body))
	}
	if status.Message == "" {
		status.Message = http.StatusText(code)
	}
	return &StatusError{code, status.Reason, strings.ToValidUTF8(status.Message[:min(len(status.Message), maxMessage)], "")}
}

// code is the status of an answer, 0 if the error is none.
func code(err error) int {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code
	}
	return 0
}

// NotFound tells whether an error says that an object is not there.
func NotFound(err error) bool { return code(err) == http.StatusNotFound }

// Refused tells whether the cluster will give the same answer again: the object is not valid, its kind is not known, or the caller
// may not write it. Every other error may be over when the request is repeated.
func Refused(err error) bool {
	switch at := code(err); {
	case at == 0:
		return errors.Is(err, ErrNoKind)
	case at == http.StatusUnauthorized, at == http.StatusRequestTimeout, at == http.StatusConflict, at == http.StatusTooManyRequests,
		at == http.StatusGone:
		return false // a token is renewed, a conflict is over when it is read again, and a list that took too long begins anew
	default:
		return at < http.StatusInternalServerError
	}
}
