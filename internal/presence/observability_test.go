package presence

import (
	"context"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/fairlead/fairlead/internal/ingest"
	"github.com/fairlead/fairlead/internal/outcome"
)

// collect reads what the metrics of this package say, by name and label, without failures: a busy machine may have some.
func collect(t *testing.T, r *metric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == "fairlead.presence.failures" {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					got[labelled(m.Name, p)] += p.Value
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					got[labelled(m.Name, p)] += p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					got[m.Name] += int64(p.Count)
				}
			}
		}
	}
	return got
}

func labelled(name string, p metricdata.DataPoint[int64]) string {
	for _, kv := range p.Attributes.ToSlice() {
		name += " " + string(kv.Key) + "=" + kv.Value.Emit()
	}
	return name
}

func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	defer otel.SetMeterProvider(before)

	i := newInstallation(t, "redis://"+miniredis.RunT(t).Addr())
	p := i.process()
	i.log.setAnswer(func(m ingest.Message) outcome.Outcome {
		if m.Channel == "bad" {
			return outcome.Rejected
		}
		return outcome.Accepted
	})
	p.connect("a", will("gone", "1"))
	p.connect("a", will("bad", "1")).Release(true)
	p.connect("b", nil)
	if _, err := p.try("c", will("", "1")); err == nil {
		t.Error("a will without a topic is accepted")
	}
	i.becomes("a", "true gone=1 false true false")
	i.settles()
	want := map[string]int64{
		"fairlead.presence.sessions":                         1,
		"fairlead.presence.claims outcome=accepted":          3,
		"fairlead.presence.claims outcome=invalid":           1,
		"fairlead.presence.takeovers":                        1,
		"fairlead.presence.losses":                           1,
		"fairlead.presence.events.queued event=connected":    3,
		"fairlead.presence.events.queued event=disconnected": 2,
		"fairlead.presence.events.queued event=will":         2,
		"fairlead.presence.events result=stored":             6,
		"fairlead.presence.events result=refused":            1,
		"fairlead.presence.events.delay":                     6,
	}
	eventually(t, "the ends to be written", p.calm)
	got := collect(t, reader)
	delete(got, "fairlead.presence.waiting") // as of the last heartbeat
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
