package meter

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A Reader reads the instruments that are made while it is there.
type Reader struct {
	t      testing.TB
	reader *metric.ManualReader
}

// Read makes a reader, which takes the place of the process's meter provider until the test ends.
func Read(t testing.TB) *Reader {
	r := &Reader{t, metric.NewManualReader()}
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(r.reader)))
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	return r
}

// Counts are the values of integer sums and gauges, and how many values histograms hold, by the name of the instrument and its
// labels, such as "fairlead.messages outcome=accepted protocol=mqtt". Names keep only those instruments; none keeps all.
func (r *Reader) Counts(names ...string) map[string]int64 {
	r.t.Helper()
	counts := map[string]int64{}
	r.each(names, func(m metricdata.Metrics) {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				counts[labelled(m.Name, p.Attributes)] += p.Value
			}
		case metricdata.Gauge[int64]:
			for _, p := range data.DataPoints {
				counts[labelled(m.Name, p.Attributes)] += p.Value
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				counts[labelled(m.Name, p.Attributes)] += int64(p.Count)
			}
		}
	})
	return counts
}

// Totals are the sums of the values of histograms, as Counts names them.
func (r *Reader) Totals() map[string]float64 {
	r.t.Helper()
	totals := map[string]float64{}
	r.each(nil, func(m metricdata.Metrics) {
		if data, ok := m.Data.(metricdata.Histogram[float64]); ok {
			for _, p := range data.DataPoints {
				totals[labelled(m.Name, p.Attributes)] += p.Sum
			}
		}
	})
	return totals
}

func (r *Reader) each(names []string, do func(metricdata.Metrics)) {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		r.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if len(names) == 0 || slices.Contains(names, m.Name) {
				do(m)
			}
		}
	}
}

func labelled(name string, labels attribute.Set) string {
	for _, label := range labels.ToSlice() {
		name += " " + string(label.Key) + "=" + label.Value.Emit()
	}
	return name
}
