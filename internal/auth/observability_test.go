package auth

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// TestDecisionsAreTimed counts and times decisions by where they are made, protocol and outcome.
func TestDecisionsAreTimed(t *testing.T) {
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	s := NewService(DefaultServiceConfig(), newDocuments(acceptance(t)...), nil)
	ask := func(protocol, password string) {
		_, _ = s.Authenticate(t.Context(), Request{Application: "app1", Device: "device1", Credential: Password(password), Protocol: protocol})
	}
	ask(refusal.MQTT, "foo")
	ask(refusal.HTTP, "foo")
	ask(refusal.HTTP, "wrong")
	ask("made up", "wrong")
	_, _ = s.PreSharedKey(t.Context(), "nowhere", "device1")
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	counted, timed := map[string]int64{}, map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				if m.Name == "fairlead.auth.decisions" {
					counted[p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Value
				}
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				if m.Name == "fairlead.auth.duration" {
					timed[p.Attributes.Encoded(attribute.DefaultEncoder())] = int64(p.Count)
				}
			}
		}
	}
	want := map[string]int64{
		"outcome=accepted,protocol=mqtt,where=registry":         1,
		"outcome=accepted,protocol=http,where=registry":         1,
		"outcome=unauthenticated,protocol=http,where=registry":  1,
		"outcome=unauthenticated,protocol=other,where=registry": 1,
		"outcome=unauthenticated,protocol=coap,where=registry":  1,
	}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("counted: %s", diff)
	}
	if diff := cmp.Diff(want, timed); diff != "" {
		t.Errorf("timed: %s", diff)
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
