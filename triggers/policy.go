package triggers

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"
)

// Backoff policies.
const (
	BackoffExponential = "exponential"
	BackoffLinear      = "linear"
)

// What Knative's Kafka dispatcher uses where a manifest says nothing.
const (
	// DefaultTimeout bounds one attempt when delivery has no timeout.
	DefaultTimeout = 600 * time.Second
	// DefaultBackoffDelay is used when delivery has retry but no backoffDelay.
	DefaultBackoffDelay = 200 * time.Millisecond
	// DefaultRetries is what a Broker without delivery is given when it is created.
	DefaultRetries = 10
)

// A Policy is what happens to an event that a Trigger selected.
type Policy struct {
	Retries        int           // attempts after the first
	BackoffPolicy  string        // BackoffExponential or BackoffLinear
	BackoffDelay   time.Duration // 0: nothing is tried again, whatever Retries says
	Timeout        time.Duration // of one attempt
	DeadLetterSink *Destination  // nil: an event that cannot be delivered is lost
	Ordered        bool          // one event of a partition at a time, in order
}

// PolicyFor is the policy of a Trigger of a Broker. The Trigger's delivery,
// if it has one, replaces the Broker's as a whole: what it leaves out is not
// inherited. Without both, the policy is what Knative gives to a new Broker:
// 10 retries, 0.2 s, exponential, no dead letter sink. b may be nil, which is
// a Broker without delivery. The error names the field that has no meaning.
func PolicyFor(t *Trigger, b *Broker) (Policy, error) {
	ordered, err := parseOrder(t.Metadata.Annotations)
	if err != nil {
		return Policy{}, err
	}
	delivery := t.Spec.Delivery
	if delivery == nil && b != nil {
		delivery = b.Spec.Delivery
	}
	if delivery == nil {
		return Policy{
			Retries:       DefaultRetries,
			BackoffPolicy: BackoffExponential,
			BackoffDelay:  DefaultBackoffDelay,
			Timeout:       DefaultTimeout,
			Ordered:       ordered,
		}, nil
	}
	policy, err := delivery.policy()
	if err != nil {
		return Policy{}, fmt.Errorf("spec.delivery.%w", err)
	}
	policy.Ordered = ordered
	return policy, nil
}

// policy gives meaning to a delivery spec. Errors begin with the field's name.
func (d *Delivery) policy() (Policy, error) {
	p := Policy{
		BackoffPolicy:  BackoffExponential,
		BackoffDelay:   DefaultBackoffDelay,
		Timeout:        DefaultTimeout,
		DeadLetterSink: d.DeadLetterSink,
	}
	if d.Retry != nil {
		if *d.Retry < 0 {
			return Policy{}, fmt.Errorf("retry: %d is negative", *d.Retry)
		}
		p.Retries = int(*d.Retry)
	}
	if d.BackoffPolicy != nil {
		if *d.BackoffPolicy != BackoffExponential && *d.BackoffPolicy != BackoffLinear {
			return Policy{}, fmt.Errorf("backoffPolicy: %.40q is neither linear nor exponential", *d.BackoffPolicy)
		}
		p.BackoffPolicy = *d.BackoffPolicy
	}
	var err error
	if d.BackoffDelay != nil {
		if p.BackoffDelay, err = ParseDuration(*d.BackoffDelay); err != nil {
			return Policy{}, fmt.Errorf("backoffDelay: %w", err)
		}
	}
	if d.Timeout != nil {
		if p.Timeout, err = ParseDuration(*d.Timeout); err != nil {
			return Policy{}, fmt.Errorf("timeout: %w", err)
		}
		if p.Timeout == 0 { // written below a tenth of a second: Knative takes it as absent
			p.Timeout = DefaultTimeout
		}
	}
	return p, nil
}

// parseOrder reads AnnotationDeliveryOrder, in any case as Knative does.
func parseOrder(annotations map[string]string) (ordered bool, err error) {
	value, ok := annotations[AnnotationDeliveryOrder]
	if !ok {
		return false, nil
	}
	switch strings.ToLower(value) {
	case "ordered":
		return true, nil
	case "unordered":
		return false, nil
	}
	return false, fmt.Errorf("metadata.annotations[%s]: %.40q is neither ordered nor unordered", AnnotationDeliveryOrder, value)
}

// Backoff is how long to wait before a retry. retry counts from 1, as in
// Knative's Kafka dispatcher: with exponential backoff the first retry comes
// after twice the delay, with linear after the delay. The result is
// saturated at the largest duration, never negative.
func (p Policy) Backoff(retry int) time.Duration {
	if retry < 0 || p.BackoffDelay <= 0 {
		return 0
	}
	if p.BackoffPolicy == BackoffLinear {
		if retry > 0 && p.BackoffDelay > math.MaxInt64/time.Duration(retry) {
			return math.MaxInt64
		}
		return p.BackoffDelay * time.Duration(retry)
	}
	if retry >= 63 || p.BackoffDelay > math.MaxInt64>>retry {
		return math.MaxInt64
	}
	return p.BackoffDelay << retry
}

// Retryable tells whether an attempt that was answered with an HTTP status is
// to be repeated: 404, 408, 409, 429 and everything from 500. Transport errors
// and timeouts, which have no status, are always repeated. Any other status
// that is not 2xx is a failure for good.
func Retryable(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}
