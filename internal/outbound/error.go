package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"
)

// A Kind says why there is no response.
type Kind string

// The kinds. They are also what metrics call them.
const (
	Refused Kind = "refused" // the address is not allowed
	Busy    Kind = "busy"    // too many requests to the endpoint are under way
	Paused  Kind = "paused"  // the endpoint failed again and again, and is left alone
	TimeOut Kind = "timeout" // no response in time
	Failed  Kind = "failed"  // no connection, or no response that can be read
	Invalid Kind = "invalid" // no request can be made of what the endpoint says
)

// An Error is why there is no response. Its text holds neither URL nor credentials.
type Error struct {
	Kind  Kind
	After time.Duration // until it makes sense to come back, for Busy and Paused
	err   error
}

// Error says what went wrong.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.err }

var (
	errBusy   = errors.New("too many requests to the endpoint are under way")
	errPaused = errors.New("the endpoint has failed again and again, and is left alone for a while")
	errLate   = errors.New("the endpoint did not respond in time")
)

// failure is what an error of net/http comes to.
func failure(err error) *Error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without the URL
	}
	network, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errGuarded):
		return &Error{Kind: Refused, err: errGuarded}
	case errors.Is(err, context.DeadlineExceeded), ok && network.Timeout():
		return &Error{Kind: TimeOut, err: errLate}
	}
	return &Error{Kind: Failed, err: errors.New("the endpoint cannot be reached: " + shortened(cause(err)))}
}

// maxCause bounds what is said of a failure, in bytes: it may quote what an endpoint sent.
const maxCause = 200

func shortened(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxCause)], "")
}

// cause is what can be said of a failure without saying where the endpoint lies.
func cause(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return "its name cannot be resolved: " + dns.Err
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate is not trusted: " + certificate.Err.Error()
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		return operation.Op + ": " + operation.Err.Error()
	}
	return err.Error()
}
