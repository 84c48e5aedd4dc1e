package cache

import (
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	breakerFailures = 3           // in a row
	breakerPause    = time.Second // until the next attempt
)

// A breaker keeps requests from waiting, one after the other, for a neighbour that does not answer: after three
// failures in a row one request a second tries, and the others go on without it.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
}

func newBreaker() breaker {
	return breaker{gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     breakerPause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsExcluded: func(err error) bool {
			_, is := errors.AsType[*abandonedError](err)
			return is
		},
	})}
}

// errPaused says that a neighbour was not asked.
var errPaused = errors.New("it is left alone for a moment after it failed")

// do makes an attempt unless others have failed just now; then the error is errPaused.
func (b breaker) do(attempt func() error) error {
	_, err := b.circuit.Execute(func() (struct{}, error) { return struct{}{}, attempt() })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return errPaused
	}
	return err
}

// An abandonedError is the error of an attempt whose caller gave up. It says nothing about the neighbour.
type abandonedError struct{ err error }

func (e *abandonedError) Error() string { return fmt.Sprintf("the caller gave up: %v", e.err) }

// Unwrap gives the error of the attempt.
func (e *abandonedError) Unwrap() error { return e.err }
