package user

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/fairlead/fairlead/internal/outcome"
)

// A reason says why a credential is not taken. It goes to the log and to a metric, never to the caller.
type reason string

func (r reason) Error() string { return string(r) }

// The reasons.
const (
	errSeveral     reason = "several credentials"
	errScheme      reason = "unknown scheme"
	errMalformed   reason = "malformed credential"
	errNoToken     reason = "unknown access token"
	errTokenUser   reason = "access token of another user"
	errTokenEnd    reason = "access token expired"
	errNotToken    reason = "not a token"
	errIssuer      reason = "unknown issuer"
	errType        reason = "token of another type"
	errAlgorithm   reason = "algorithm not allowed"
	errKey         reason = "unknown key"
	errSignature   reason = "wrong signature"
	errAudience    reason = "wrong audience"
	errClient      reason = "unknown client"
	errExpired     reason = "token expired"
	errNotYet      reason = "token not valid yet"
	errSubject     reason = "unusable subject"
	errClaims      reason = "malformed claims"
	errPrefixTaken reason = "subject begins like those of another provider"
)

// severalWays is what a caller with more than one credential is told, in the words of the wire contract.
const severalWays = "More than one way of authentication provided"

// refused is the error for a credential that is not taken. The caller is told nothing but that.
func refused(r reason) error { return outcome.Wrap(outcome.Unauthenticated, "", r) }

func several() error { return outcome.Wrap(outcome.Unauthenticated, severalWays, errSeveral) }

func invalid(text string) error { return outcome.New(outcome.Invalid, text) }

func forbidden(text string) error { return outcome.New(outcome.Forbidden, text) }

func unavailable(text string, err error) error {
	return outcome.Wrap(outcome.Unavailable, text, err)
}

// reasonOf is why a credential was not taken; "" for every other error.
func reasonOf(err error) reason {
	var r reason
	if errors.As(err, &r) {
		return r
	}
	return ""
}

// WriteHTTP answers a request whose caller is not known, or that an error of this package ends, with the documents of
// the wire contract. Where the contract has 500 because nobody could be asked, it is 503 with Retry-After.
func WriteHTTP(w http.ResponseWriter, err error) {
	r := outcome.ResultOf(err)
	status := r.Outcome.HTTP()
	switch r.Outcome {
	case outcome.Unauthenticated:
		outcome.WriteDocument(w, status, outcome.Document{Error: "Forbidden", Message: refusalText(r.Reason)})
	case outcome.Forbidden:
		outcome.WriteDocument(w, status, outcome.Document{Error: "Forbidden", Message: orElse(r.Reason, "Forbidden")})
	case outcome.Invalid:
		outcome.WriteDocument(w, status, outcome.Document{Error: "InvalidRequest", Message: "Invalid request: " + orElse(r.Reason, "malformed")})
	case outcome.Unavailable, outcome.Overloaded:
		w.Header().Set("Retry-After", strconv.Itoa(outcome.RetryAfter))
		outcome.WriteDocument(w, status, outcome.Document{Error: "Internal", Message: "Internal: " + orElse(r.Reason, "try again later")})
	default:
		outcome.WriteDocument(w, http.StatusInternalServerError, outcome.Document{Error: "Internal", Message: "Internal: the request could not be served"})
	}
}

func refusalText(reason string) string {
	if reason == "" {
		return "Forbidden"
	}
	return "Invalid request: " + reason
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
