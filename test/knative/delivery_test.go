package knative

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rickb777/date/period"
	duckv1 "knative.dev/eventing/pkg/apis/duck/v1"
	"knative.dev/eventing/pkg/kncloudevents"

	"github.com/fairlead/fairlead/triggers"
)

func TestRetryableAsKnative(t *testing.T) {
	for status := 100; status < 1000; status++ {
		want, err := kncloudevents.SelectiveRetry(context.Background(), &http.Response{StatusCode: status}, nil)
		if got := triggers.Retryable(status); got != want || err != nil {
			t.Errorf("%d: got %v, Knative %v, %v", status, got, want, err)
		}
	}
	if again, err := kncloudevents.SelectiveRetry(context.Background(), nil, errors.New("refused")); !again || err != nil {
		t.Errorf("a transport error is not retried any more: %v", err)
	}
}

func TestBackoffAsKnative(t *testing.T) {
	for _, policy := range []duckv1.BackoffPolicyType{duckv1.BackoffPolicyExponential, duckv1.BackoffPolicyLinear} {
		for _, delay := range []string{"PT0S", "PT0.05S", "PT0.1S", "PT0.2S", "PT1.29S", "PT30S", "PT2M", "P1D"} {
			for _, timeout := range []string{"PT0.1S", "PT10S", "PT1H"} {
				retry := int32(7)
				spec := duckv1.DeliverySpec{BackoffPolicy: &policy, BackoffDelay: &delay, Timeout: &timeout, Retry: &retry}
				want, err := kncloudevents.RetryConfigFromDeliverySpec(spec)
				if err != nil {
					t.Fatal(err)
				}
				name := string(policy)
				got, err := triggers.PolicyFor(&triggers.Trigger{Spec: triggers.TriggerSpec{Delivery: &triggers.Delivery{
					BackoffPolicy: &name, BackoffDelay: &delay, Timeout: &timeout, Retry: &retry,
				}}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got.Retries != want.RetryMax || got.Timeout != want.RequestTimeout {
					t.Errorf("%s %s: got %+v, Knative %+v", delay, timeout, got, want)
				}
				for n := range 17 { // a day times 2^17 no longer fits
					if got, want := got.Backoff(n), want.Backoff(n, nil); got != want {
						t.Errorf("%s %s, retry %d: got %v, Knative %v", policy, delay, n, got, want)
					}
				}
			}
		}
	}
}

// controllers is how Knative's Kafka controller reads a duration: without
// carrying seconds over to minutes, and without a sign.
func controllers(text string) (time.Duration, error) {
	p, err := period.Parse(text, false)
	if err != nil {
		return 0, err
	}
	d, _ := p.Duration()
	return d.Abs().Truncate(time.Millisecond), nil
}

func TestDurationsAsKnative(t *testing.T) {
	compared := 0
	check := func(text string) {
		t.Helper()
		got, err := triggers.ParseDuration(text)
		if err != nil {
			return
		}
		compared++
		want, err := controllers(text)
		if err != nil || got.Truncate(time.Millisecond) != want {
			t.Errorf("%s: got %v, Knative's controller %v, %v", text, got, want, err)
		}
		if _, err := period.Parse(text); err != nil {
			t.Errorf("%s: Knative's webhook refuses it: %v", text, err)
		}
	}
	numbers := []string{"", "0", "1", "7", "59", "60", "61", "400", "3276", "3276.7", "0.05", "0.1", "0,2", "1.25", "10.99"}
	for _, a := range numbers {
		for _, b := range numbers {
			for _, units := range []string{"HM", "MS", "HS"} {
				check("PT" + component(a, units[:1]) + component(b, units[1:]))
			}
			check("P" + component(a, "D") + "T" + component(b, "H"))
			check("P" + component(a, "M") + component(b, "D"))
		}
		check("P" + component(a, "Y"))
		check("P" + component(a, "W"))
	}
	if compared < 300 {
		t.Errorf("only %d durations were compared", compared)
	}
}

func component(number, unit string) string {
	if number == "" {
		return ""
	}
	return number + unit
}

// The webhook carries seconds over to minutes, the Kafka controller does not,
// and overflows. That is the rule duration-component.
func TestLongComponents(t *testing.T) {
	for _, text := range []string{"PT3600S", "PT3276.8S", "PT5000M"} {
		if _, err := period.Parse(text); err != nil {
			t.Errorf("%s: the webhook refuses it: %v", text, err)
		}
		if d, err := controllers(text); err == nil {
			t.Errorf("%s: the controller reads %v", text, d)
		}
		if _, err := triggers.ParseDuration(text); err == nil {
			t.Errorf("%s is not refused", text)
		}
	}
}

// What is read there and refused here, because it is never meant.
func TestStricterDurations(t *testing.T) {
	for _, text := range []string{"-PT1S", "+PT1S", "P0", "PT1S1M"} {
		_, theirs := controllers(text)
		_, ours := triggers.ParseDuration(text)
		if theirs != nil || ours == nil {
			t.Errorf("%s: Knative's controller: %v, ours: %v", text, theirs, fmt.Sprint(ours))
		}
	}
}
