package ingest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// TestMetricsKnowTheProtocol counts and times messages by protocol and outcome, and gives no other protocol a label of its own.
func TestMetricsKnowTheProtocol(t *testing.T) {
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	m := newPipelineMetrics()
	count := func(protocol string, o outcome.Outcome) {
		m.count(m.begin(&Message{Protocol: protocol, Received: time.Now().Add(-time.Minute)}), o)
	}
	count(refusal.MQTT, outcome.Accepted)
	count(refusal.MQTT, outcome.Accepted)
	count(refusal.HTTP, outcome.Rejected)
	count("made up", outcome.Invalid)
	count("", outcome.Invalid)
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, metric := range all.ScopeMetrics[0].Metrics {
		switch data := metric.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				got[metric.Name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = p.Value
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				got[metric.Name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = int64(p.Count)
				if p.Sum < 60*float64(p.Count) {
					t.Errorf("%s: %v s for %d messages that came a minute ago", metric.Name, p.Sum, p.Count)
				}
			}
		}
	}
	want := map[string]int64{}
	for _, name := range []string{"fairlead.messages", "fairlead.messages.duration"} {
		want[name+" outcome=accepted,protocol=mqtt"] = 2
		want[name+" outcome=rejected,protocol=http"] = 1
		want[name+" outcome=invalid,protocol=other"] = 2
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
