package cloud

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
)

// Pauses between attempts, unless the installation asks for a longer one.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second

	maxRetryAfter = time.Minute // that the installation may ask for
)

// Retry makes a call again while the installation is overloaded or nobody answers, with growing pauses or with those that
// the installation asks for. It goes on for the given time, or until the context ends, and then returns the call's error.
func Retry(ctx context.Context, atMost time.Duration, call func() error) error {
	if atMost <= 0 {
		return call()
	}
	began := time.Now()
	for pauses := backoff.New(firstPause, maxPause); ; {
		err := call()
		if err == nil || !IsTransient(err) {
			return err
		}
		wait := retryAfter(err)
		if wait == 0 {
			wait = pauses.Next()
		}
		if time.Since(began)+wait > atMost || !backoff.Wait(ctx, wait) {
			return err
		}
	}
}

// IsTransient tells whether the same call may succeed later: the installation is overloaded, or nobody answers.
func IsTransient(err error) bool {
	var lost *connectionError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &lost):
		return true
	}
	return hasStatus(err, http.StatusTooManyRequests) || hasStatus(err, http.StatusBadGateway) ||
		hasStatus(err, http.StatusServiceUnavailable) || hasStatus(err, http.StatusGatewayTimeout)
}

func retryAfter(err error) time.Duration {
	var refused *Error
	if !errors.As(err, &refused) {
		return 0
	}
	return min(refused.RetryAfter, maxRetryAfter)
}

// A connectionError is a request that got no answer.
type connectionError struct{ error }

// Unwrap gives the reason.
func (e *connectionError) Unwrap() error { return e.error }
