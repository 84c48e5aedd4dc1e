package auth

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
	"github.com/fairlead/fairlead/test/meter"
)

// TestDecisionsAreTimed counts and times decisions by where they are made, protocol and outcome.
func TestDecisionsAreTimed(t *testing.T) {
	counted := meter.Read(t)
	s := NewService(DefaultServiceConfig(), newDocuments(acceptance(t)...), nil)
	ask := func(protocol, password string) {
		_, _ = s.Authenticate(t.Context(), Request{Application: "app1", Device: "device1", Credential: Password(password), Protocol: protocol})
	}
	ask(refusal.MQTT, "foo")
	ask(refusal.HTTP, "foo")
	ask(refusal.HTTP, "wrong")
	ask("made up", "wrong")
	_, _ = s.PreSharedKey(t.Context(), "nowhere", "device1")
	want := map[string]int64{}
	for _, name := range []string{"fairlead.auth.decisions", "fairlead.auth.duration"} {
		want[name+" outcome=accepted protocol=mqtt where=registry"] = 1
		want[name+" outcome=accepted protocol=http where=registry"] = 1
		want[name+" outcome=unauthenticated protocol=http where=registry"] = 1
		want[name+" outcome=unauthenticated protocol=other where=registry"] = 1
		want[name+" outcome=unauthenticated protocol=coap where=registry"] = 1
	}
	if diff := cmp.Diff(want, counted.Counts("fairlead.auth.decisions", "fairlead.auth.duration")); diff != "" {
		t.Error(diff)
	}
}

// TestReasonsStayWithTheOperator has every layer hand the reason on, where only the operator sees it.
func TestReasonsStayWithTheOperator(t *testing.T) {
	service := NewService(DefaultServiceConfig(), newDocuments(acceptance(t)...), nil)
	steady := DefaultSteadyConfig()
	steady.Quantum, steady.MaxDelay = 1e6, 1e6
	layers := NewSteady(steady, NewCache(DefaultCacheConfig(), service))
	f := func(r Request, want string) {
		t.Helper()
		for range 2 { // the second time from the cache
			_, err := layers.Authenticate(t.Context(), r)
			result := outcome.ResultOf(err)
			if got := refusal.Explain(result); got != want || result.Reason != "" {
				t.Errorf("%q, and the sender is told %q; want %q and nothing", got, result.Reason, want)
			}
		}
	}
	f(Request{Application: "app1", Device: "device1", Credential: Password("wrong")}, "wrong password")
	f(Request{Application: "app1", Device: "nobody", Credential: Password("x")}, "unknown device")
	f(Request{Application: "nowhere", Device: "device1", Credential: Password("x")}, "unknown application")
	f(Request{Application: "app1", Device: "device1", Credential: Password("foo"), As: "nobody"}, "unknown device to act for")
	f(Request{}, "no credential")
}
