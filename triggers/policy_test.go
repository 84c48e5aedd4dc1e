package triggers

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseDuration(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		got, err := ParseDuration(text)
		if got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", text, got, err, want)
		}
	}
	f("PT0.2S", 200*time.Millisecond)
	f("PT0,2S", 200*time.Millisecond)
	f("PT0.05S", 0)
	f("PT1.19S", 1100*time.Millisecond)
	f("PT10S", 10*time.Second)
	f("PT1M30S", 90*time.Second)
	f("PT1H", time.Hour)
	f("PT0.5H", 30*time.Minute)
	f("P1DT12H", 36*time.Hour)
	f("P1W", 7*24*time.Hour)
	f("P1Y", 8765*time.Hour+49*time.Minute+12*time.Second)
	f("P1M", 730*time.Hour+29*time.Minute+6*time.Second)
	f("PT3276.7S", 3276700*time.Millisecond)
	f("PT0S", 0)
	f("P100Y", 876582*time.Hour)

	refuse := func(text, reason string) {
		t.Helper()
		got, err := ParseDuration(text)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: got %v, %v, want an error with %q", text, got, err, reason)
		}
	}
	refuse("", "want an ISO 8601")
	refuse("5s", "want an ISO 8601")
	refuse("P", "no component")
	refuse("PT", "want a number")
	refuse("P1DT", "want a number")
	refuse("-PT1S", "want an ISO 8601")
	refuse("+PT1S", "want an ISO 8601")
	refuse("PT-1S", "want a number")
	refuse("PT1", "want a number")
	refuse("PTS", "want a number")
	refuse("P1S", "unit 'S'")
	refuse("PT1D", "unit 'D'")
	refuse("PT1S1M", "unit 'M'")
	refuse("PT1S1S", "unit 'S'")
	refuse("PT1ST1S", "want a number")
	refuse("pt1s", "want an ISO 8601")
	refuse("PT0.5M1S", "only the last")
	refuse("PT1.S", "not a number")
	refuse("PT.5S", "not a number")
	refuse("PT1.2.3S", "not a number")
	refuse("PT3276.8S", "above 3276.7")
	refuse("PT3600S", "above 3276.7")
	refuse("P469W", "above 3276.7")
	refuse("PT99999999999999999999S", "too large")
	refuse("P100Y1D", "hundred years")
	refuse("P99999Y", "hundred years")
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"PT0.2S", "P1Y2M3W4DT5H6M7.8S", "P", "PT", "PT1", "P99999Y", "PT0,05S", "-PT1S", "PT٣S"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); d < 0 || (err != nil && d != 0) {
			t.Errorf("%q: %v, %v", text, d, err)
		}
	})
}

func TestPolicyFor(t *testing.T) {
	text := func(s string) *string { return &s }
	number := func(n int32) *int32 { return &n }
	sink := &Destination{URI: "http://dead/"}
	whole := &Delivery{Retry: number(3), BackoffPolicy: text("linear"), BackoffDelay: text("PT1S"), Timeout: text("PT5S"), DeadLetterSink: sink}
	wholePolicy := Policy{Retries: 3, BackoffPolicy: "linear", BackoffDelay: time.Second, Timeout: 5 * time.Second, DeadLetterSink: sink}
	f := func(trigger *Delivery, broker *Delivery, order string, want Policy) {
		t.Helper()
		tr, b := &Trigger{Spec: TriggerSpec{Delivery: trigger}}, &Broker{Spec: BrokerSpec{Delivery: broker}}
		if order != "" {
			tr.Metadata.Annotations = map[string]string{AnnotationDeliveryOrder: order}
		}
		got, err := PolicyFor(tr, b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	given := Policy{Retries: 10, BackoffPolicy: "exponential", BackoffDelay: 200 * time.Millisecond, Timeout: 600 * time.Second}
	bare := Policy{BackoffPolicy: "exponential", BackoffDelay: 200 * time.Millisecond, Timeout: 600 * time.Second}
	ordered := given
	ordered.Ordered = true
	onlySink := bare
	onlySink.DeadLetterSink = sink
	f(nil, nil, "", given)
	f(nil, nil, "ordered", ordered)
	f(nil, nil, "Ordered", ordered)
	f(nil, nil, "unordered", given)
	f(nil, whole, "", wholePolicy)
	f(whole, nil, "", wholePolicy)
	f(&Delivery{}, whole, "", bare) // nothing is inherited
	f(&Delivery{DeadLetterSink: sink}, whole, "", onlySink)
	f(&Delivery{Timeout: text("PT0.01S")}, nil, "", bare)
	if got, err := PolicyFor(&Trigger{}, nil); err != nil || got != given {
		t.Errorf("without a Broker: %v, %v", got, err)
	}

	refuse := func(d *Delivery, want string) {
		t.Helper()
		if _, err := PolicyFor(&Trigger{Spec: TriggerSpec{Delivery: d}}, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
	refuse(&Delivery{Retry: number(-1)}, "spec.delivery.retry: -1 is negative")
	refuse(&Delivery{BackoffPolicy: text("cubic")}, "spec.delivery.backoffPolicy: ")
	refuse(&Delivery{BackoffDelay: text("1s")}, "spec.delivery.backoffDelay: ")
	refuse(&Delivery{Timeout: text("-PT1S")}, "spec.delivery.timeout: ")
	if _, err := PolicyFor(&Trigger{Metadata: Metadata{Annotations: map[string]string{AnnotationDeliveryOrder: "x"}}}, nil); err == nil {
		t.Error("an unknown order is not refused")
	}
}

func TestBackoff(t *testing.T) {
	f := func(policy string, delay time.Duration, retry int, want time.Duration) {
		t.Helper()
		if got := (Policy{BackoffPolicy: policy, BackoffDelay: delay}).Backoff(retry); got != want {
			t.Errorf("%s %v, retry %d: got %v, want %v", policy, delay, retry, got, want)
		}
	}
	f("exponential", time.Second, 0, time.Second)
	f("exponential", time.Second, 1, 2*time.Second)
	f("exponential", time.Second, 2, 4*time.Second)
	f("exponential", 200*time.Millisecond, 10, 204800*time.Millisecond)
	f("exponential", time.Second, 33, time.Second<<33)
	f("exponential", time.Second, 34, math.MaxInt64)
	f("exponential", time.Nanosecond, 62, 1<<62)
	f("exponential", time.Nanosecond, 63, math.MaxInt64)
	f("exponential", time.Second, math.MaxInt, math.MaxInt64)
	f("exponential", 0, 5, 0)
	f("exponential", time.Second, -1, 0)
	f("linear", time.Second, 0, 0)
	f("linear", time.Second, 1, time.Second)
	f("linear", time.Second, 7, 7*time.Second)
	f("linear", time.Hour, math.MaxInt, math.MaxInt64)
}

func TestRetryable(t *testing.T) {
	want := map[int]bool{404: true, 408: true, 409: true, 429: true}
	for status := 100; status < 700; status++ {
		if got := Retryable(status); got != (want[status] || status >= 500) {
			t.Errorf("%d: %v", status, got)
		}
	}
}
